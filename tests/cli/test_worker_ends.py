"""How `deployer worker` ends tells systemd whether to start it again."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from deployer import embedded, queue
from deployer.config import read_settings
from deployer.jobs import worker as jobs
from tests.cli.conftest import Console

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(deployer: Console) -> Iterator[Start]:
    """Start workers with a REDIS_URL; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start_one(redis_url: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "SECRET_KEY")}
        environment |= {"DEPLOYER_HOME": str(deployer.home), "REDIS_URL": redis_url}
        argv = [sys.executable, "-m", "deployer", "worker"]
        started.append(subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it writes."""
    assert process.stderr is not None
    assert select.select([process.stderr], [], [], 30)[0], "it says nothing"
    return process.stderr.readline()


@pytest.mark.parametrize(("orderly", "status"), [(True, 0), (False, 1)])
def test_only_an_orderly_end_is_a_success(
    deployer: Console, monkeypatch: pytest.MonkeyPatch, orderly: bool, status: int
) -> None:
    monkeypatch.setattr(embedded, "silence", lambda _url: "")
    monkeypatch.setattr(jobs, "run", lambda _app, _tend: orderly)
    result = deployer("worker", REDIS_URL="redis://127.0.0.1:1")

    assert result.exit_code == status
    assert ("ended by itself" in result.stderr) is not orderly


def test_a_worker_that_cannot_go_on_ends_as_a_failure(start: Start, deployer: Console) -> None:
    settings = read_settings({"DEPLOYER_HOME": str(deployer.home)})
    with embedded.running(settings), queue.connect(settings.redis_url) as connection:
        connection.set("rq:workers", "no set")
        process = start(settings.redis_url)
        said = process.communicate(timeout=30)[1]

    assert process.returncode == 1
    assert "a key holding the wrong kind of value" in said.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_it_waits_for_a_redis_that_is_away_and_can_be_stopped_meanwhile(start: Start, number: signal.Signals) -> None:
    process = start("redis://:hidden@127.0.0.1:1")
    said = line_of(process)
    process.send_signal(number)
    rest = process.communicate(timeout=10)[1]

    assert "waiting for it" in said
    assert "Connection refused" in said
    assert "hidden" not in said + rest
    assert "Traceback" not in rest
    assert process.returncode == 0


def test_it_works_as_soon_as_redis_is_there(start: Start, deployer: Console) -> None:
    settings = read_settings({"DEPLOYER_HOME": str(deployer.home / "other")})
    process = start(settings.redis_url)
    assert "waiting for it" in line_of(process)
    with embedded.running(settings):
        assert "answers now" in line_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_redis_that_wants_another_password_is_told_and_not_given_up(start: Start) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        process = start(f"redis://:hidden@127.0.0.1:{server.getsockname()[1]}")
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n" * 2)
            said = line_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0

    assert "WRONGPASS" in said or "invalid username-password" in said
    assert "hidden" not in said
