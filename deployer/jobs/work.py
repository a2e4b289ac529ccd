"""The phases of a deployment, one by one: each does its part on the host, or says why it could not.

Everything here knows the host only through a :class:`Runner`, and nothing but the host: no database.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from deployer.domain.errors import N_
from deployer.domain.recipe import Recipe
from deployer.domain.release import Command, Task
from deployer.jobs.fetch import FetchFailed
from deployer.jobs.health import probe, wait_for_version, wait_until_healthy
from deployer.remote.runner import CommandResult, DiskFull, Dropped, Runner, RunnerError, TransferFailed

PUT_DEADLINE = 600.0
PUT_TRIES = 3
PROBE_SECONDS = 10.0  # how long a healthy service may go on answering with its old version
Fetch = Callable[[], Awaitable[object]]  # brings the artifact to where the task says it is; raises FetchFailed


class Phase(StrEnum):
    """What a deployment is doing, in the words that people read."""

    PREPARING = N_("Preparing the host")
    FETCHING = N_("Fetching the artifact")
    SENDING = N_("Sending the archive")
    VERIFYING = N_("Verifying the archive")
    UNPACKING = N_("Unpacking the archive")
    SWITCHING = N_("Switching the release")
    RESTARTING = N_("Restarting the service")
    DEPLOYING = N_("Running the deploy command")
    HEALTH = N_("Waiting for the health check")
    PROBING = N_("Asking for the version")
    RESTORING = N_("Restoring the previous release")
    RECOVERING = N_("Looking after a lost worker")
    PRUNING = N_("Removing old releases")
    DONE = N_("Done")


_FULL = re.compile(r"No space left on device|Disk quota exceeded|: Wrote only [0-9]+ of [0-9]+ bytes")


class Name(StrEnum):
    """The names of failures that no runner gives."""

    FETCH = N_("artifact not fetched")
    NO_ARTIFACT = N_("no artifact")
    HEALTH = N_("health check failed")
    PROBE = N_("version not confirmed")
    LOST = N_("worker lost")
    INTERNAL = N_("internal error")


_NAMES = {
    Phase.FETCHING: Name.FETCH,
    Phase.HEALTH: Name.HEALTH,
    Phase.PROBING: Name.PROBE,
    Phase.RECOVERING: Name.LOST,
}
# How a failure names its phase, where "<phase> failed" would not be English.
_NOUNS = {
    Phase.RESTARTING: "Restart",
    Phase.DEPLOYING: "Deploy command",
    Phase.HEALTH: "Health check",
    Phase.PROBING: "Version check",
    Phase.RECOVERING: "This",
}


class Journal(Protocol):
    """Where a deployment tells what it does. Both methods return at once."""

    def phase(self, text: str) -> None:
        """A new phase begins."""
        ...

    def line(self, text: str) -> None:
        """One line of log."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a deployment ended. ``running`` is the label that the host gave after everything, None if it gave none."""

    ok: bool
    running: str | None
    reason: str  # "" when ok
    phase: str  # the phase that failed, or the last one
    kind: str = ""  # the name of the failure, "" when ok


class Failed(Exception):
    """A phase that did not do what it should."""

    def __init__(self, phase: Phase, cause: str, certain: bool = True, kind: str = "") -> None:
        super().__init__(f"{_NOUNS.get(phase, phase.value)} failed: {cause.rstrip('.')}.")
        self.phase = phase
        self.cause = cause
        self.kind = kind or _NAMES.get(phase, RunnerError.kind)
        self.certain = certain  # we saw the end of what failed, so it does nothing any more


@dataclass(frozen=True)
class Work:
    """One recipe on one host: each method is one phase that succeeds or raises :class:`Failed`.

    ``fetch`` is called when the host wants the artifact, and not before.
    """

    runner: Runner
    recipe: Recipe
    task: Task
    say: Journal
    fetch: Fetch | None = None

    async def run(self, phase: Phase, command: Command, *, quiet: bool = False) -> CommandResult:
        """Run ``command``; what a ``quiet`` one prints is said only when it fails."""
        self.say.phase(phase)
        try:
            result = await self.runner.run(command, unheard if quiet else self.say.line)
        except RunnerError as error:
            raise Failed(phase, str(error), certain=False, kind=error.kind) from error
        if result.ok:
            return result
        if quiet or result.cut:
            for line in result.output.splitlines():
                self.say.line(line)
        cause, kind = _cause(result)
        raise Failed(phase, cause, certain=result.exit_status is not None, kind=kind)

    async def send(self) -> str:
        """Put the archive on the host; its recorded sha256, or the one it has here."""
        if self.fetch is not None and self.task.artifact is not None:
            self.say.phase(Phase.FETCHING)
            try:
                await self.fetch()
            except FetchFailed as failure:
                raise Failed(Phase.FETCHING, str(failure)) from failure
        self.say.phase(Phase.SENDING)
        if self.task.artifact is None:
            raise Failed(
                Phase.SENDING,
                f"release {self.task.to_version} is not on the host and no archive is recorded for this version;"
                " record its artifact, then try again",
                kind=Name.NO_ARTIFACT,
            )
        try:
            sha256 = self.task.sha256
            if sha256 is None:
                sha256 = await asyncio.to_thread(_sha256, self.task.artifact)
            await self._put(self.task.artifact)
        except OSError as error:
            cause = f"the archive cannot be read on the worker: {error.strerror}"
            raise Failed(Phase.SENDING, cause, kind=TransferFailed.kind) from error
        except RunnerError as error:
            raise Failed(Phase.SENDING, str(error), kind=error.kind) from error
        return sha256

    async def _put(self, artifact: Path) -> None:
        """Put it on the host, over several connections if one is lost: a runner sends only what is missing there."""
        now = asyncio.get_running_loop().time
        until = now() + PUT_DEADLINE
        for tries_left in reversed(range(PUT_TRIES)):
            try:
                await self.runner.put(artifact, self.task.archive, max(until - now(), 0))
                return
            except Dropped as lost:
                if not tries_left:
                    raise
                self.say.line(f"{lost.cause} Only what is missing is sent now.")

    async def prove(self, wanted: str | None) -> str | None:
        """Wait until the service is healthy and answers as ``wanted``; the version it gives."""
        if self.recipe.health.kind != "none":
            self.say.phase(Phase.HEALTH)
            finding = await wait_until_healthy(self.runner, self.recipe, self.task, self.say.line)
            if finding.cause:
                raise Failed(Phase.HEALTH, finding.cause)
        self.say.phase(Phase.PROBING)
        # Without a health check, the probe is what waits for the service to come up.
        seconds = self.recipe.health.timeout if self.recipe.health.kind == "none" else PROBE_SECONDS
        finding = await wait_for_version(
            self.runner, self.recipe, self.task, wanted, seconds=seconds, say=self.say.line
        )
        if finding.cause:
            raise Failed(Phase.PROBING, finding.cause)
        return finding.running

    async def failed(self, failure: Failed, afterwards: str) -> Outcome:
        """The outcome of ``failure``, with what runs on the host after all."""
        reason = f"{failure} {afterwards}".strip()
        self.say.line(reason)
        return Outcome(False, await probe(self.runner, self.recipe, self.task), reason, failure.phase, failure.kind)


def _cause(result: CommandResult) -> tuple[str, str]:
    """How a command failed, and the name of that. Programs hide a full disk in many words, and among others."""
    if result.exit_status and _FULL.search(result.output):
        full = f"{result.failure.rstrip('.')}. The disk of the host is full: make room there, then try again"
        return full, DiskFull.kind
    return result.failure, result.kind


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unheard(line: str) -> None:
    """For commands whose output is for us; it is said after all when they fail."""
