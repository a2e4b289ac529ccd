"""A host that is reached by SSH: the first try shows its key, and once that is approved the upgrade goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from traceback import format_exception

import asyncssh
import pytest
from flask import Flask

from deployer import sealing
from deployer.domain.hosts import HostChoice
from deployer.domain.reach import CredentialKind, Secret
from deployer.domain.release import Command
from deployer.domain.status import Evidence, InstanceStatus, Reach, RolloutState, StepState
from deployer.extensions import db
from deployer.jobs.check import look_at
from deployer.jobs.database import Threads
from deployer.jobs.drain import ways
from deployer.jobs.ways import Introduced, Ways, WayTo, _known
from deployer.operations import checks, credentials, host_keys, hosts, probes
from deployer.operations.credentials import NewCredential
from deployer.operations.places import Place, host_places
from deployer.queries import hosts as host_queries
from deployer.queries import rollouts
from deployer.queries import steps as step_queries
from deployer.queries.steps import StepRow
from deployer.remote.local import LocalRunner
from deployer.remote.runner import RunnerError
from deployer.remote.ssh import Password, PrivateKey, SshHosts, SshTarget
from tests.conftest import need
from tests.jobs.conftest import ADDRESSES, Fleet
from tests.jobs.test_drain import drain
from tests.sshd import Sshd, fingerprint, make_key, missing_sshd, public_key
from tests.world import ADMIN

Later = Callable[[], Place]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", address=ADDRESSES[0]) as running:
        yield running


@pytest.fixture
def first(app: Flask, real_fleet: Fleet, sshd: Sshd) -> int:
    """The id of the fleet's first host, which is reached by SSH with a sealed key from now on."""
    credentials.publish(sealing.held(app.config["SETTINGS"].home).publics)
    key = sshd.key.read_text()
    credentials.add(NewCredential("deploy", CredentialKind.KEY, fingerprint(sshd.key), Secret(key)), ADMIN)
    host_id = real_fleet.hosts[0]
    host = hosts.as_it_is(host_id)
    by_ssh = replace(host, reach=Reach.SSH, ssh_user="root", ssh_port=sshd.port, credential="deploy")
    db.session.rollback()
    hosts.change_host(host_id, by_ssh, ADMIN)
    return host_id


def upgrade(app: Flask, fleet: Fleet, host_id: int, target: str = "1.4.0") -> tuple[RolloutState, StepRow]:
    rollout_id = fleet.start(target, hosts=HostChoice(everyone=False, ids=(host_id,)))
    drain(app)
    (step,) = step_queries.steps(rollout_id)
    return rollouts.rollout(rollout_id).state, step


def test_a_key_that_nobody_approved_fails_the_step_with_its_fingerprint_and_once_approved_the_host_is_upgraded(
    app: Flask, real_fleet: Fleet, sshd: Sshd, first: int
) -> None:
    state, step = upgrade(app, real_fleet, first)
    shown = fingerprint(sshd.host_keys[0])
    assert (state, step.state, step.failure) == (RolloutState.FAILED, StepState.FAILED, "host key unknown")
    assert f"is not known. Compare its fingerprint {shown} with the host's own" in step.error
    assert "deployer host trust" in step.error
    assert real_fleet.answers() == ["1.1.0", "1.1.0"]
    assert [(one.fingerprint, one.approved) for one in host_queries.keys(first)] == [(shown, None)]

    host_keys.trust(first, shown, ADMIN)
    probes.ask(real_fleet.instances()[0].id, ADMIN)  # what the failed step could not find out
    drain(app)
    assert real_fleet.instances()[0].evidence is Evidence.CONFIRMED
    state, step = upgrade(app, real_fleet, first)
    assert (state, step.failure, step.error, step.running_label) == (RolloutState.SUCCEEDED, "", "", "1.4.0")
    assert real_fleet.answers() == ["1.4.0", "1.1.0"]
    assert real_fleet.instances()[0].status is InstanceStatus.RUNNING
    assert sshd.connections() <= 4  # one for each of the four jobs, whatever is done over it


def test_a_changed_key_is_refused_loudly_and_offered_for_approval(
    app: Flask, real_fleet: Fleet, sshd: Sshd, first: int, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other")
    host_keys.offer(first, public_key(other))
    host_keys.trust(first, fingerprint(other), ADMIN)
    state, step = upgrade(app, real_fleet, first)
    assert state is RolloutState.FAILED
    assert step.failure == "host key changed"
    assert "HAS CHANGED" in step.error
    assert real_fleet.answers() == ["1.1.0", "1.1.0"]
    offered = [one.fingerprint for one in host_queries.keys(first) if one.approved is None]
    assert offered == [fingerprint(sshd.host_keys[0])]


def test_a_credential_that_this_worker_cannot_open_fails_the_step_and_says_what_to_do(
    app: Flask, real_fleet: Fleet, sshd: Sshd, first: int
) -> None:
    key = app.config["SETTINGS"].home / "credential.key"
    key.unlink()
    sealing.held(app.config["SETTINGS"].home)  # makes another one
    _, step = upgrade(app, real_fleet, first)
    assert step.failure == "key cannot be read"
    assert "This worker holds no key that opens the credential deploy. Give all workers the same keys" in step.error
    assert real_fleet.answers() == ["1.1.0", "1.1.0"]


def test_a_test_of_the_connection_goes_the_same_way(app: Flask, real_fleet: Fleet, sshd: Sshd, first: int) -> None:
    checks.ask(first, ADMIN)
    drain(app)
    assert host_queries.host(first).check_kind == "host key unknown"
    host_keys.trust(first, fingerprint(sshd.host_keys[0]), ADMIN)
    checks.ask(first, ADMIN)
    drain(app)
    found = host_queries.host(first).facts
    assert found is not None
    assert (found.user, found.directory) == ("root", "writable")


def test_a_key_that_comes_late_from_where_the_host_was_before_waits_for_nobodys_approval(
    app: Flask, real_fleet: Fleet, sshd: Sshd, first: int
) -> None:
    checks.ask(first, ADMIN)
    (taken,) = checks.waiting_checks()
    moved = replace(hosts.as_it_is(first), address=ADDRESSES[1])
    hosts.change_host(first, moved, ADMIN)
    assert asyncio.run(in_one_job(app, look, taken.place)) == ["host key unknown"]
    assert host_queries.keys(first) == []


def test_a_key_that_is_approved_while_a_job_runs_counts_for_what_it_does_next(
    app: Flask, real_fleet: Fleet, sshd: Sshd, first: int
) -> None:
    def approved() -> Place:
        host_keys.trust(first, fingerprint(sshd.host_keys[0]), ADMIN)
        return host_places([first])[first]  # as a job reads it for each step that it takes

    before = host_places([first])[first]
    assert asyncio.run(in_one_job(app, look, before, approved)) == ["host key unknown", ""]


async def look(to: WayTo, place: Place) -> str:
    """How a check of the host there ends."""
    return (await look_at(to(place), place)).kind


async def in_one_job(app: Flask, do: Callable[[WayTo, Place], Awaitable[str]], *places: Place | Later) -> list[str]:
    """What ``do`` comes to at each of the places, one after the other, over the ways of one job."""
    database = Threads(app)
    try:
        async with SshHosts() as ssh:
            to = ways(app.config["SETTINGS"], ssh, database).to
            return [await do(to, place if isinstance(place, Place) else await database(place)) for place in places]
    finally:
        database.shutdown()


@pytest.mark.parametrize(
    ("address", "directory", "as_given"),
    [
        ("127.7.7.7", "hosts/demo-1", True),
        ("127.7.7.7", "/srv/apps", False),
        ("192.0.2.9", "hosts/demo-1", False),
        ("localhost", "hosts/demo-1", False),
    ],
)
def test_the_ssh_config_of_the_workers_user_is_not_for_the_hosts_that_the_demo_serves_itself(
    tmp_path: Path, address: str, directory: str, as_given: bool
) -> None:
    async def nobody(place: Place, key: str) -> None:
        pytest.fail(f"{key} was offered")

    there = Place(0, 0, "", {}, "demo-1", address, Reach.SSH, str(tmp_path / directory), 0)
    assert Ways(tmp_path, SshHosts(), nobody)._target(there).as_given is as_given


def test_a_host_that_prints_what_let_us_in_does_not_bring_it_into_a_log(tmp_path: Path) -> None:
    async def nobody(_place: Place, _key: str) -> None: ...

    said: list[str] = []
    local = LocalRunner("127.0.0.1", str(tmp_path))
    host = Introduced(local, None, nobody, _known(Password("open the door")))  # type: ignore[arg-type]
    result = asyncio.run(host.run(Command(("printf", "it is open the door\\n"), 10), said.append))
    assert (said, result.output, result.stdout) == (["it is [hidden]"], "it is [hidden]", ("it is [hidden]",))
    assert _known(PrivateKey("k1\nk2", "phrase")) == ("k1\nk2", "phrase")


class Talkative(asyncssh.SSHServer):
    """Whoever comes with a password hears it again, as the reason why the connection ends."""

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        raise asyncssh.DisconnectError(2, f"no entry with {password}")


def test_a_host_that_refuses_us_with_what_was_to_let_us_in_does_not_bring_it_into_a_failure(tmp_path: Path) -> None:
    secret = "open-the-door-9f"

    async def nobody(_place: Place, _key: str) -> None: ...

    async def refusal() -> RunnerError:
        key = asyncssh.generate_private_key("ssh-ed25519")
        listen = asyncssh.listen(ADDRESSES[0], 0, server_host_keys=[key], server_factory=Talkative)
        async with await listen as server, SshHosts() as ours:
            public = key.export_public_key().decode().strip()
            way = {"user": "ann", "port": server.get_port(), "host_keys": (public,), "as_given": True}
            target = SshTarget("host-1", ADDRESSES[0], str(tmp_path), secret=Password(secret), **way)
            host = Introduced(ours.runner(target), None, nobody, _known(target.secret))  # type: ignore[arg-type]
            with pytest.raises(RunnerError) as caught:
                await host.run(Command(("true",), 10), print)
            return caught.value

    error = asyncio.run(refusal())
    assert "no entry with [hidden]" in error.cause
    for text in (str(error), error.cause, error.remedy, *map(str, error.args), "".join(format_exception(error))):
        assert secret not in text
