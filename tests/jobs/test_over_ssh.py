"""From the page to a real sshd and back, through a worker process; and nothing said on the way has a secret in it."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from deployer import queue, sealing
from deployer.domain.access import Role, Scope
from deployer.domain.facts import CheckState
from deployer.domain.recipe import HealthCheck, ReleaseRecipe
from deployer.domain.status import RolloutState, StepState
from deployer.extensions import db
from deployer.operations import catalog, credentials, host_keys, people, tokens
from deployer.operations.catalog import NewService
from deployer.queries import hosts, rollouts
from deployer.queries import steps as step_queries
from tests.conftest import need
from tests.jobs.conftest import ADDRESSES, Fleet
from tests.jobs.test_worker import ended, wait_for, worker
from tests.sshd import Sshd, fingerprint, make_key, missing_sshd
from tests.web.conftest import Visitor
from tests.world import ADMIN, PASSWORD, snapshot

__all__ = ["worker"]

PASSPHRASE, HOST_PASSWORD, TOKEN = "open-sesame-4c1d", "hunter2-but-longer-9f", "ghp_worker-environment-77"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def sshds(tmp_path: Path) -> Iterator[list[Sshd]]:
    """A host that knows our key, and one that asks for a password which it will not know."""
    need(missing_sshd())
    key = make_key(tmp_path / "deploy", passphrase=PASSPHRASE)
    asking = ("PasswordAuthentication yes", "PubkeyAuthentication no")
    with (
        Sshd(tmp_path / "first", address=ADDRESSES[0], key=key) as first,
        Sshd(tmp_path / "second", asking, address=ADDRESSES[1], key=key) as second,
    ):
        yield [first, second]


class Console:
    """A person at the pages, who hears everything that is answered."""

    def __init__(self, app: Flask, fleet: Fleet) -> None:
        people.create_user("ann", PASSWORD, Role.ADMINISTRATOR, "root")
        self.bearer = {"Authorization": f"Bearer {tokens.create_token('ann', 'all', Scope.MANAGE, 'root')}"}
        self.visitor = Visitor(app.test_client())
        assert self.visitor.sign_in().status_code == 303
        self.fleet = fleet
        self.heard: list[str] = []

    def get(self, path: str) -> str:
        text = self.visitor.get(path, headers=self.bearer if path.startswith("/api/") else {}).text
        self.heard.append(text)
        return text

    def post(self, path: str, data: dict[str, object]) -> str:
        answer = self.visitor.post(path, data)
        self.heard.append(answer.text)
        assert answer.status_code == 303, answer.text
        return str(answer.location)

    def upgrade(self, *host_ids: int) -> int:
        path = f"/services/{self.fleet.service}/versions/{self.fleet.versions['1.1.0']}/upgrade"
        data = {"dest_version": self.fleet.versions["1.4.0"], "stop_after": 9}
        answer = self.visitor.start(path, [*data.items(), *(("host_id", one) for one in host_ids)])
        self.heard.append(answer.text)
        assert answer.status_code == 303, answer.text
        return int(answer.location.rpartition("/")[2])


@pytest.fixture
def console(app: Flask, real_fleet: Fleet, sshds: list[Sshd]) -> Console:
    """The fleet's hosts are reached by SSH from now on: with a key behind a passphrase, and with a password."""
    found = Console(app, real_fleet)
    credentials.publish(sealing.held(app.config["SETTINGS"].home).publics)
    key = {"name": "deploy", "kind": "key", "key": sshds[0].key.read_text(), "passphrase": PASSPHRASE}
    found.post("/credentials", key)
    found.post("/credentials", {"name": "old", "kind": "password", "password": HOST_PASSWORD})
    for number, credential in enumerate(("deploy", "old")):
        directory = real_fleet.home / "hosts" / f"host-{number + 1}"
        found.post(
            f"/hosts/{real_fleet.hosts[number]}/edit",
            {
                "hostname": f"host-{number + 1}",
                "address": ADDRESSES[number],
                "directory": str(directory),
                "reach": "ssh",
                "ssh_user": "root",
                "ssh_port": sshds[number].port,
                "credential": credential,
            },
        )
    return found


def test_an_unknown_key_fails_the_step_and_once_it_is_approved_a_retry_succeeds(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], console: Console, real_fleet: Fleet, sshds: list[Sshd]
) -> None:
    worker()
    host_id = real_fleet.hosts[0]
    rollout_id = console.upgrade(host_id)
    wait_for(ended(rollout_id))
    shown = fingerprint(sshds[0].host_keys[0])
    page = console.get(f"/rollouts/{rollout_id}")
    for words in ("Failed", "is not known", shown, "approve it on the host&#39;s page or with deployer host trust"):
        assert words in page
    assert real_fleet.answers() == ["1.1.0", "1.1.0"]

    assert shown in console.get(f"/hosts/{host_id}")
    console.post(f"/hosts/{host_id}/keys/trust", {"fingerprint": shown})
    again = int(console.post(f"/rollouts/{rollout_id}/retry", {"host": "all"}).rpartition("/")[2])
    wait_for(ended(again))
    assert rollouts.rollout(again).state is RolloutState.SUCCEEDED
    page = console.get(f"/rollouts/{again}")
    assert "Succeeded" in page
    assert "The service is up and answers with version 1.4.0." in page
    assert real_fleet.answers() == ["1.4.0", "1.1.0"]
    assert "ann approved a key" in console.get(f"/hosts/{host_id}")


def test_no_secret_reaches_a_log_an_answer_a_page_a_row_or_redis(
    app: Flask,
    worker: Callable[..., subprocess.Popen[bytes]],
    console: Console,
    real_fleet: Fleet,
    sshds: list[Sshd],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A team's own command that tells all it knows.
    restart = ("sh", "-c", 'env; exec "$0" restart.py', sys.executable)
    catalog.change_service(
        real_fleet.service, NewService("orders", ReleaseRecipe(restart, health=HealthCheck(timeout=5))), ADMIN
    )
    home, url = app.config["SETTINGS"].home, app.config["REDIS_URL"]
    for host_id, sshd in zip(real_fleet.hosts, sshds, strict=True):
        console.post(f"/hosts/{host_id}/check", {})
        offer_and_trust(console, host_id, sshd)
    rollout_id = console.upgrade(*real_fleet.hosts)
    redis_before = everything_in(url)
    assert "deployer.jobs.drain.drain" in redis_before
    worker(GITHUB_TOKEN=TOKEN, DATABASE_PASSWORD=TOKEN)
    wait_for(ended(rollout_id))
    wait_for(lambda: all(state(host_id) is not CheckState.NEVER for host_id in real_fleet.hosts))

    first, second = step_queries.steps(rollout_id)
    assert (first.state, second.state) == (StepState.SUCCEEDED, StepState.FAILED), (first.error, second.error)
    assert "does not let root in (tried: password)" in second.error
    for path in ("/hosts", "/credentials", "/rollouts", f"/rollouts/{rollout_id}", f"/services/{real_fleet.service}"):
        console.get(path)
        console.get(f"/api/v1{path}")
    for step in (first, second):
        console.get(f"/rollouts/{rollout_id}/steps/{step.id}")
    for host_id in real_fleet.hosts:
        console.get(f"/hosts/{host_id}")
        console.get(f"/api/v1/hosts/{host_id}/keys")
    said = {
        "answers": "\n".join(console.heard),
        "rows": repr(snapshot()),
        "log of the worker": (home / "worker.log").read_text(),
        "log of the console": caplog.text,
        "Redis before": redis_before,
        "Redis after": everything_in(url),
        "logs of the hosts": "".join(sshd.log() for sshd in sshds),
    }
    assert "DEPLOYER_VERSION=1.4.0" in said["rows"]  # the command was heard
    assert "DEPLOYER_VERSION=1.4.0" in said["answers"]
    assert "rollout #" in said["log of the worker"]
    words = [PASSPHRASE, HOST_PASSWORD, TOKEN, app.config["SETTINGS"].secret_key]
    words += sshds[0].key.read_text().splitlines()[1:-1]
    words += (home / "credential.key").read_text().split()
    found = {(where, word) for where, text in said.items() for word in words if word in text}
    assert found == set()


def offer_and_trust(console: Console, host_id: int, sshd: Sshd) -> None:
    host_keys.offer(host_id, sshd.host_key)
    console.post(f"/hosts/{host_id}/keys/trust", {"fingerprint": fingerprint(sshd.host_keys[0])})


def state(host_id: int) -> CheckState:
    db.session.rollback()
    return hosts.host(host_id).state


def everything_in(url: str) -> str:
    """All keys and values of a Redis, with what RQ has compressed."""
    found: list[bytes] = []
    with queue.connect(url) as connection:
        for name in connection.keys("*"):
            found.append(name)
            kind = connection.type(name)
            if kind == b"hash":
                for field, value in connection.hgetall(name).items():
                    found += [field, inflated(value)]
            elif kind == b"list":
                found += connection.lrange(name, 0, -1)
            elif kind == b"set":
                found += connection.smembers(name)
            elif kind == b"string":
                found.append(connection.get(name))
            else:
                found.append(repr(connection.zrange(name, 0, -1)).encode())
    return b"\n".join(found).decode("utf-8", "replace")


def inflated(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value
