"""The demo's little services on their hosts: install, start again, and see that all have ended."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.domain.names import is_name
from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.release import Task, own_command
from deployer.jobs.deploy import deploy
from deployer.queries import catalog, fleet
from deployer.queries import hosts as host_queries
from deployer.queries.paging import MAX_LIMIT, Slice
from deployer.remote.local import LocalRunner
from deployer.remote.runner import RunnerError

AT_ONCE = 4
EVERYTHING = Slice(1, MAX_LIMIT)
PATIENCE = 5.0


@dataclass(frozen=True)
class Spot:
    """One service on one host."""

    service: str
    hostname: str
    address: str
    port: int
    directory: str
    recipe: ReleaseRecipe


@dataclass(frozen=True)
class Installation:
    """A version that has to get onto a spot."""

    spot: Spot
    label: str
    artifact: Path
    sha256: str


class Notes:
    """A journal of which only the lines matter."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def phase(self, text: str) -> None:
        """Not kept."""

    def line(self, text: str) -> None:
        """Kept."""
        self.lines.append(text)


def install(installations: Iterable[Installation]) -> list[str]:
    """Install and start all of them, by the recipe. What went wrong, one text each."""
    return _all([_install(one) for one in installations])


def recorded(hosts: Path) -> list[Spot]:
    """What has to run below ``hosts`` according to the database."""
    known = host_queries.hosts(EVERYTHING).rows
    directories = {host.id: host.directory for host in known if Path(host.directory).parent == hosts}
    return [
        Spot(one.service, one.hostname, one.address, one.port, directories[one.host_id], service.recipe)
        for service in catalog.services(EVERYTHING).rows
        if isinstance(service.recipe, ReleaseRecipe)
        for one in fleet.instances(service.id, fleet.InstanceFilter(), EVERYTHING).rows
        if one.host_id in directories
    ]


def start(spots: Iterable[Spot]) -> list[str]:
    """Start on each spot the release that is ``current`` there. What went wrong, one text each."""
    return _all([_start(spot, _current(spot)) for spot in spots])


def wait_for_end(hosts: Path) -> None:
    """See that no service below ``hosts`` lives; to be called when their lifeline is cut."""
    until = time.monotonic() + PATIENCE
    for pid_file in hosts.glob("*/*/run/service.pid"):
        with pid_file.open("rb") as file:
            while not _unlocked(file.fileno()):
                if time.monotonic() > until:
                    _kill(file.read(32), file.fileno())
                    break
                time.sleep(0.02)


def _task(spot: Spot, label: str, artifact: Path | None = None, sha256: str | None = None) -> Task:
    return Task(
        service=spot.service,
        hostname=spot.hostname,
        address=spot.address,
        port=spot.port,
        directory=spot.directory,
        from_version=None,
        to_version=label,
        artifact=artifact,
        sha256=sha256,
    )


def _current(spot: Spot) -> str:
    """The label of the release in use, "" when there is none."""
    current = Path(spot.directory, spot.service, "current")
    return current.resolve().name if current.is_dir() else ""


async def _install(one: Installation) -> str:
    notes = Notes()
    spot = one.spot
    outcome = await deploy(
        LocalRunner(spot.address, spot.directory),
        spot.recipe,
        _task(spot, one.label, one.artifact, one.sha256),
        notes,
    )
    if outcome.ok:
        return ""
    return "\n".join([f"{spot.service} {one.label} on {spot.hostname}: {outcome.reason}", *notes.lines[-5:]])


async def _start(spot: Spot, label: str) -> str:
    if not is_name(label):
        return f"{spot.service} on {spot.hostname}: no release is there"
    task = _task(spot, label)
    notes = Notes()
    command = own_command(task, spot.recipe.restart, "restart", spot.recipe.restart_timeout, task.current)
    try:
        result = await LocalRunner(spot.address, spot.directory).run(command, notes.line)
    except RunnerError as error:
        return f"{spot.service} {label} on {spot.hostname}: {error}"
    if result.ok:
        return ""
    log = Path(spot.directory, spot.service, "log", "service.log")  # as in payload/restart.py
    why = "; ".join(line.strip() for line in notes.lines[-3:]).rstrip(".")
    return f"{spot.service} {label} on {spot.hostname}: {why}. Its log is {log}."


def _all(works: Sequence[Coroutine[None, None, str]]) -> list[str]:
    async def gathered() -> list[str]:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(work: Coroutine[None, None, str]) -> str:
            async with slots:
                return await work

        return await asyncio.gather(*map(one, works))

    return [problem for problem in asyncio.run(gathered()) if problem]


def _unlocked(file: int) -> bool:
    """A service holds this lock for as long as it lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill(pid: bytes, file: int) -> None:
    """End the service whose ``file`` this is; but no other process that has its pid by now."""
    if not pid.strip().isdigit() or int(pid) == os.getpid():
        return
    with contextlib.suppress(OSError):  # ended, and so has nothing open
        if any(_same(opened, file) for opened in Path(f"/proc/{int(pid)}/fd").iterdir()):
            os.kill(int(pid), signal.SIGKILL)


def _same(opened: Path, file: int) -> bool:
    with contextlib.suppress(OSError):  # closed since
        return os.path.samestat(opened.stat(), os.fstat(file))
    return False
