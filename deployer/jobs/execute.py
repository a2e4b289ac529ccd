"""One taken step on its host: recipe and artifact in, settlement out. No database here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from deployer.domain.errors import N_, Refused
from deployer.domain.recipe import parse_recipe
from deployer.domain.release import Task
from deployer.domain.status import Reach
from deployer.jobs import fetch
from deployer.jobs.deploy import Journal, deploy, probe
from deployer.operations.steps import Settlement, TakenStep
from deployer.remote.local import LocalRunner
from deployer.remote.runner import Runner

log = logging.getLogger(__name__)
Work = Callable[[TakenStep, Path, Journal], Awaitable[Settlement]]


def runner_for(step: TakenStep) -> Runner:
    """The way to reach the step's host."""
    if step.reach is Reach.LOCAL:
        return LocalRunner(step.address, step.directory)
    raise NotImplementedError(step.reach)


async def execute(step: TakenStep, store: Path, say: Journal) -> Settlement:
    """Do the step. Ends with the truth about the host whatever happens, except when it is cancelled."""
    runner = runner_for(step)
    try:
        recipe = parse_recipe(step.recipe)
        say.phase(N_("Fetching the artifact"))
        file = await asyncio.to_thread(fetch.artifact, store, step.artifact_sha256, step.artifact_url)
        outcome = await deploy(runner, recipe, _task(step, file), say)
    except fetch.FetchFailed as failure:
        say.line(str(failure))
        return Settlement(False, await ask(step), str(failure))
    except Exception as problem:
        log.exception("step %s crashed", step.step_id)
        say.line(f"Deployer itself failed here: {type(problem).__name__}: {problem}")
        return Settlement(False, await ask(step), "Deployer itself failed; the log of the worker has the details.")
    return Settlement(outcome.ok, outcome.running, outcome.reason)


async def ask_what_is_left(step: TakenStep, _store: Path, say: Journal) -> Settlement:
    """The end of a step whose worker died in the middle: whatever the host says it runs now."""
    say.phase(N_("Asking for the version"))
    found = await ask(step)
    told = f"it runs {found} now" if found else "what it runs could not be determined"
    return Settlement(False, found, f"The worker that did this was lost in the middle. The host was asked: {told}.")


async def ask(step: TakenStep) -> str | None:
    """Which version the host really runs now, or None."""
    try:
        return await probe(runner_for(step), parse_recipe(step.recipe), _task(step, None))
    except Refused:
        return None


def _task(step: TakenStep, artifact: Path | None) -> Task:
    return Task(
        service=step.service,
        hostname=step.hostname,
        address=step.address,
        port=step.port,
        directory=step.directory,
        from_version=step.from_label,
        to_version=step.to_label,
        artifact=artifact,
        sha256=step.artifact_sha256,
    )
