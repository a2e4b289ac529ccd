"""A host is tested for real: by the program itself, through the drain, and by a worker process."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from deployer.domain.facts import CheckState, HostFacts
from deployer.domain.release import Command
from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.jobs import check as jobs
from deployer.jobs.ways import Ways
from deployer.operations import checks, hosts
from deployer.operations.checks import CheckEnd
from deployer.operations.hosts import NewHost
from deployer.operations.places import Place
from deployer.queries import credentials, workers
from deployer.queries import hosts as queries
from deployer.remote.local import LocalRunner
from deployer.remote.runner import CommandResult, Say, Unreachable
from tests.jobs.test_drain import drain
from tests.jobs.test_worker import wait_for, worker
from tests.world import ADMIN, World

__all__ = ["worker"]


def look(directory: Path, runner: object = None) -> CheckEnd:
    place = Place(0, 0, "", {}, "host-1", "127.0.0.1", Reach.LOCAL, str(directory), 0, 1)
    return asyncio.run(jobs.look_at(runner or LocalRunner("127.0.0.1", str(directory)), place))  # type: ignore[arg-type]


def facts(end: CheckEnd) -> HostFacts:
    assert end.facts is not None, end
    return HostFacts.load(end.facts)


def test_this_machine_is_fit(tmp_path: Path) -> None:
    found = facts(look(tmp_path))
    assert (found.missing, found.proc, found.directory) == ((), True, "writable")
    assert found.user == subprocess.check_output(["id", "-un"], text=True).strip()
    free = shutil.disk_usage(tmp_path).free
    assert found.disk_free is not None
    assert abs(found.disk_free - free) < 1 << 30
    assert found.skew is not None
    assert abs(found.skew) <= 1
    assert found.os


@pytest.mark.parametrize(
    ("path", "word"),
    [("", "writable"), ("a/b c/d", "can be made"), ("file", "no directory"), ("file/below", "cannot be made")],
)
def test_the_directory_is_looked_at_and_not_made(tmp_path: Path, path: str, word: str) -> None:
    (tmp_path / "file").touch()
    assert facts(look(tmp_path / path)).directory == word
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file"]


def test_a_directory_is_never_taken_for_code(tmp_path: Path) -> None:
    odd = tmp_path / "$(touch x); echo `id` 'a\" *"
    odd.mkdir()
    assert facts(look(odd)).directory == "writable"
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_directory_of_somebody_else_is_not_writable(tmp_path: Path) -> None:
    class AsNobody(LocalRunner):
        async def run(self, command: Command, say: Say) -> CommandResult:
            argv = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command.argv)
            return await super().run(Command(argv, command.deadline), say)

    end = look(Path("/root"), AsNobody("127.0.0.1", "/root"))
    assert facts(end).directory in ("not writable", "cannot be made")
    assert end.kind == "warnings"


def test_programs_that_are_not_there_are_named(tmp_path: Path) -> None:
    few = tmp_path / "bin"
    few.mkdir()
    for name in ("sh", "date", "id", "uname", "df", "tar"):
        (few / name).symlink_to(str(shutil.which(name)))

    class Bare(LocalRunner):
        async def run(self, command: Command, say: Say) -> CommandResult:
            return await super().run(Command(command.argv, command.deadline, {"PATH": str(few)}), say)

    end = look(tmp_path, Bare("127.0.0.1", str(tmp_path)))
    assert facts(end).missing == ("flock", "setsid", "awk", "find", "grep", "tail", "sha256sum", "readlink", "mv -T")
    assert end.kind == "warnings"


class Answering:
    """A host that answers anything to every command."""

    def __init__(self, *lines: str, status: int = 0, error: Exception | None = None) -> None:
        self.lines, self.status, self.error = lines, status, error

    async def run(self, command: Command, say: Say) -> CommandResult:
        if self.error:
            raise self.error
        for line in self.lines:
            say(line)
        return CommandResult(self.status, False, "\n".join(self.lines), self.lines)


@pytest.mark.parametrize(
    "host", [Answering("This account is not available."), Answering(), Answering(status=127)], ids=["talk", "-", "127"]
)
def test_a_host_without_a_shell_for_us_is_a_bad_answer(tmp_path: Path, host: Answering) -> None:
    end = look(tmp_path, host)
    assert (end.facts, end.kind) == (None, "bad answer")
    assert end.cause
    assert "Log in there yourself" in end.remedy


def test_a_host_that_is_not_reached_is_told_with_its_cause_and_remedy(tmp_path: Path) -> None:
    error = Unreachable("It is off.", "Switch it on.")
    assert look(tmp_path, Answering(error=error)) == CheckEnd(None, "unreachable", "It is off.", "Switch it on.")


def test_the_drain_answers_what_people_ask_and_knows_hosts_that_it_cannot_reach(
    app: Flask, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = hosts.add_host(NewHost("here", "127.0.0.1", str(tmp_path)), ADMIN)
    crashing = hosts.add_host(NewHost("crashing", "127.0.0.1", str(tmp_path / "2")), ADMIN)
    way = Ways.to

    def to(ways: Ways, place: Place) -> object:
        if place.hostname == "crashing":
            raise ZeroDivisionError
        return way(ways, place)

    monkeypatch.setattr(Ways, "to", to)
    for host_id in (here, crashing):
        checks.ask(host_id, ADMIN)
    drain(app)
    db.session.rollback()
    assert checks.waiting_checks() == []
    found = queries.host(here)
    assert found.facts is not None
    assert found.facts.directory == "writable"
    assert queries.host(crashing).state is CheckState.PROBLEM
    assert queries.host(crashing).check_cause == "Deployer itself failed here."


def test_from_the_command_line_a_worker_tests_a_host_and_the_status_tells(
    app: Flask, worker: Callable[[], subprocess.Popen[bytes]], world: World, tmp_path: Path
) -> None:
    settings = app.config["SETTINGS"]
    environment = {
        "DEPLOYER_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key,
    }
    environment["REDIS_URL"] = app.config["REDIS_URL"]
    (tmp_path / "file").touch()
    hosts.add_host(NewHost("fit", "127.0.0.1", str(tmp_path)), ADMIN)
    hosts.add_host(NewHost("unfit", "127.0.0.1", str(tmp_path / "file")), ADMIN)

    def run(name: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "deployer", "host", "check", name, "--timeout", "60"]
        return subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, check=False)

    ended = run("fit")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "No worker is alive" in ended.stderr
    worker()

    def lives() -> bool:
        db.session.rollback()
        return workers.is_any_alive()

    wait_for(lives)
    assert stat.S_IMODE((settings.home / "credential.key").stat().st_mode) == 0o600
    db.session.rollback()
    assert credentials.can_be_sealed()
    ended = run("fit")
    assert "the directory is writable" in ended.stdout, ended.stderr
    assert ended.returncode == (0 if ended.stdout.startswith("Check: ok") else 1)
    ended = run("unfit")
    assert ended.returncode == 1
    assert "something else" in ended.stdout
