"""One version onto one host, by its recipe: what to do in which order, and what to do when it goes wrong.

Everything here knows the host only through a :class:`Runner`, and nothing but the host: no database. What is said to
run at the end was asked from the host. A cancellation passes through untouched: whoever cancels has lost the right
to go on here, so restoring is the business of whoever holds the host next.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from deployer.domain import release
from deployer.domain.errors import N_
from deployer.domain.names import is_name
from deployer.domain.recipe import Recipe, ReleaseRecipe, ScriptRecipe
from deployer.domain.release import Command, Task
from deployer.jobs.health import probe, wait_for_version, wait_until_healthy
from deployer.remote.runner import CommandResult, Runner, RunnerError

__all__ = ["Journal", "Outcome", "Phase", "deploy", "probe", "recover"]

PUT_DEADLINE = 600.0
PROBE_SECONDS = 10.0  # how long a healthy service may go on answering with its old version


class Phase(StrEnum):
    """What a deployment is doing, in the words that people read."""

    PREPARING = N_("Preparing the host")
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


class _Failed(Exception):
    def __init__(self, phase: Phase, cause: str, certain: bool = True) -> None:
        super().__init__(f"{_NOUNS.get(phase, phase.value)} failed: {cause.rstrip('.')}.")
        self.phase = phase
        self.certain = certain  # we saw the end of what failed, so it does nothing any more


async def deploy(runner: Runner, recipe: Recipe, task: Task, say: Journal) -> Outcome:
    """Bring ``task.to_version`` onto the host and prove it; restore the release before it if that does not work."""
    work = _Work(runner, recipe, task, say)
    if isinstance(recipe, ScriptRecipe):
        return await _script(work, recipe)
    return await _release(work, recipe)


async def recover(runner: Runner, recipe: Recipe, task: Task, say: Journal) -> Outcome:
    """End what a lost worker left: a target that serves is kept, anything else goes back to the release before it."""
    work = _Work(runner, recipe, task, say)
    lost = _Failed(Phase.RECOVERING, "the worker that did it was lost in the middle")
    say.phase(Phase.RECOVERING)
    found = await probe(runner, recipe, task, PROBE_SECONDS)
    if found == task.to_version:
        try:
            await work.prove(found)
        except _Failed as failure:
            lost = failure
        else:
            say.line(f"The worker was lost in the middle, but {found} is in service.")
            say.phase(Phase.DONE)
            return Outcome(True, found, "", Phase.DONE)
    if isinstance(recipe, ScriptRecipe):
        return await work.failed(lost, "")
    try:
        host = _facts(await work.run(Phase.PREPARING, release.prepare(task), quiet=True))
        if host.get("current") == f"releases/{task.to_version}":
            previous = _previous(host, task)
            if found is None or found == task.to_version or previous is None:
                return await _restore(work, recipe, previous, lost)
            # The old process still runs, but its next start would bring up what nobody has seen serve.
            await work.run(Phase.SWITCHING, release.switch(task, previous), quiet=True)
    except _Failed as failure:
        say.line(str(failure))
    return await work.failed(lost, "")


@dataclass(frozen=True)
class _Work:
    """One recipe on one host: each method is one phase that succeeds or raises :class:`_Failed`."""

    runner: Runner
    recipe: Recipe
    task: Task
    say: Journal

    async def run(self, phase: Phase, command: Command, *, quiet: bool = False) -> CommandResult:
        self.say.phase(phase)
        try:
            result = await self.runner.run(command, _unheard if quiet else self.say.line)
        except RunnerError as error:
            raise _Failed(phase, str(error), certain=False) from error
        if result.ok:
            return result
        if quiet or result.cut:
            for line in result.output.splitlines():
                self.say.line(line)
        raise _Failed(phase, result.failure, certain=result.exit_status is not None)

    async def send(self) -> str:
        """Put the archive on the host; its recorded sha256, or the one it has here."""
        self.say.phase(Phase.SENDING)
        if self.task.artifact is None:
            raise _Failed(
                Phase.SENDING,
                f"release {self.task.to_version} is not on the host and no archive is recorded for this version;"
                " record its artifact, then try again",
            )
        try:
            sha256 = self.task.sha256
            if sha256 is None:
                sha256 = await asyncio.to_thread(_sha256, self.task.artifact)
            await self.runner.put(self.task.artifact, self.task.archive, PUT_DEADLINE)
        except OSError as error:
            raise _Failed(Phase.SENDING, f"the archive cannot be read on the worker: {error.strerror}") from error
        except RunnerError as error:
            raise _Failed(Phase.SENDING, str(error)) from error
        return sha256

    async def prove(self, wanted: str | None) -> str | None:
        """Wait until the service is healthy and answers as ``wanted``; the version it gives."""
        if self.recipe.health.kind != "none":
            self.say.phase(Phase.HEALTH)
            finding = await wait_until_healthy(self.runner, self.recipe, self.task, self.say.line)
            if finding.cause:
                raise _Failed(Phase.HEALTH, finding.cause)
        self.say.phase(Phase.PROBING)
        # Without a health check, the probe is what waits for the service to come up.
        seconds = self.recipe.health.timeout if self.recipe.health.kind == "none" else PROBE_SECONDS
        finding = await wait_for_version(
            self.runner, self.recipe, self.task, wanted, seconds=seconds, say=self.say.line
        )
        if finding.cause:
            raise _Failed(Phase.PROBING, finding.cause)
        return finding.running

    async def failed(self, failure: _Failed, afterwards: str) -> Outcome:
        """The outcome of ``failure``, with what runs on the host after all."""
        reason = f"{failure} {afterwards}".strip()
        self.say.line(reason)
        return Outcome(False, await probe(self.runner, self.recipe, self.task), reason, failure.phase)


async def _script(work: _Work, recipe: ScriptRecipe) -> Outcome:
    task = work.task
    try:
        if task.artifact is not None:
            await work.run(Phase.PREPARING, release.prepare(task), quiet=True)
            await work.run(Phase.VERIFYING, release.verify(task, await work.send()))
        await work.run(Phase.DEPLOYING, release.own_command(task, recipe.deploy, "deploy", recipe.timeout))
        running = await work.prove(task.to_version)
    except _Failed as failure:
        return await work.failed(failure, "")
    work.say.phase(Phase.DONE)
    return Outcome(True, running, "", Phase.DONE)


async def _release(work: _Work, recipe: ReleaseRecipe) -> Outcome:
    task = work.task
    previous: str | None = None
    try:
        host = _facts(await work.run(Phase.PREPARING, release.prepare(task), quiet=True))
        previous = _previous(host, task)
        if "release" in host:
            work.say.line(f"Release {task.to_version} is kept on the host and used again.")
        else:
            sha256 = await work.send()
            await work.run(Phase.UNPACKING, release.unpack(task, sha256))
        await work.run(Phase.SWITCHING, release.switch(task, f"releases/{task.to_version}"), quiet=True)
    except _Failed as failure:
        if failure.phase is not Phase.SWITCHING or failure.certain:
            return await work.failed(failure, "The release in use was not touched.")
        return await _restore(work, recipe, previous, failure)
    try:
        running = await _activate(work, recipe, task.to_version)
    except _Failed as failure:
        return await _restore(work, recipe, previous, failure)
    try:
        await work.run(Phase.PRUNING, release.prune(task, recipe.keep))
    except _Failed as failure:
        work.say.line(str(failure))  # the version is in service; old files are no reason to say that it failed
    work.say.phase(Phase.DONE)
    return Outcome(True, running, "", Phase.DONE)


async def _activate(work: _Work, recipe: ReleaseRecipe, wanted: str | None) -> str | None:
    """Make the release that ``current`` points at the one in service."""
    restart = release.own_command(work.task, recipe.restart, "restart", recipe.restart_timeout, work.task.current)
    await work.run(Phase.RESTARTING, restart)
    return await work.prove(wanted)


async def _restore(work: _Work, recipe: ReleaseRecipe, previous: str | None, failure: _Failed) -> Outcome:
    """Bring back what ``current`` pointed at before, and say whether that worked."""
    task = work.task
    if previous is None:
        before = f"Version {task.from_version}" if task.from_version else "What ran before"
        return await work.failed(
            failure, f"{before} was not installed by Deployer on this host, so it could not be restored."
        )
    work.say.line(str(failure))
    work.say.phase(Phase.RESTORING)
    name = previous.removeprefix("releases/")
    back = replace(work, task=replace(task, from_version=task.to_version, to_version=name, artifact=None))
    try:
        await back.run(Phase.SWITCHING, release.switch(task, previous), quiet=True)
        await _activate(back, recipe, name)
    except _Failed as again:
        return await work.failed(failure, f"Restoring release {name} did not work either: {again}")
    return await work.failed(failure, f"The previous release {name} was restored.")


def _facts(result: CommandResult) -> dict[str, str]:
    """What ``prepare`` found on the host."""
    return {key: value for key, _, value in (line.partition("=") for line in result.stdout) if value}


def _previous(host: dict[str, str], task: Task) -> str | None:
    """What to go back to, as a link target. When an attempt before this one had switched already, ``current`` points
    at the target itself, and the recorded origin is what was there before."""
    current = host.get("current")
    if current not in (None, f"releases/{task.to_version}"):
        # A link to anywhere else is not of our making, and nothing that could be brought back.
        return current if current.startswith("releases/") and is_name(current.removeprefix("releases/")) else None
    if "origin" in host and task.from_version != task.to_version:
        return f"releases/{task.from_version}"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unheard(line: str) -> None:
    """For commands whose output is for us; it is said after all when they fail."""
