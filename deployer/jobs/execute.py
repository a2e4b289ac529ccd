"""One taken step on its host: recipe and artifact in, settlement out. No database here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from deployer.domain.errors import N_
from deployer.domain.recipe import ScriptRecipe, parse_recipe
from deployer.domain.release import Task
from deployer.domain.status import Reach
from deployer.jobs import fetch
from deployer.jobs.deploy import Journal, Phase, deploy, probe, recover
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
    try:
        recipe = parse_recipe(step.recipe)
        say.phase(N_("Fetching the artifact"))
        file, missing = await _artifact(step, store, say)
        if missing and isinstance(recipe, ScriptRecipe):
            return Settlement(False, await ask(step), missing)
        # Without its artifact a release can still be one that is kept on the host; that is for the host to say.
        outcome = await deploy(runner_for(step), recipe, _task(step, file), say)
    except Exception as problem:
        return await _crashed(step, say, problem)
    reason = missing if missing and outcome.phase == Phase.SENDING else outcome.reason
    return Settlement(outcome.ok, outcome.running, reason)


async def ask_what_is_left(step: TakenStep, _store: Path, say: Journal) -> Settlement:
    """The end of a step whose worker died in the middle: by what the host shows, not by guessing."""
    try:
        outcome = await recover(runner_for(step), parse_recipe(step.recipe), _task(step, None), say)
    except Exception as problem:
        return await _crashed(step, say, problem)
    return Settlement(outcome.ok, outcome.running, outcome.reason)


async def _artifact(step: TakenStep, store: Path, say: Journal) -> tuple[Path | None, str]:
    """The artifact's file, or why it is not to be had."""
    try:
        return await fetch.artifact(store, step.artifact_sha256, step.artifact_url), ""
    except fetch.FetchFailed as failure:
        say.line(str(failure))
        return None, str(failure)


async def _crashed(step: TakenStep, say: Journal, problem: Exception) -> Settlement:
    log.error("step %s crashed", step.step_id, exc_info=problem)
    say.line(f"Deployer itself failed here: {type(problem).__name__}: {problem}")
    return Settlement(False, await ask(step), "Deployer itself failed; the log of the worker has the details.")


async def ask(step: TakenStep) -> str | None:
    """Which version the host really runs now, or None."""
    try:
        return await probe(runner_for(step), parse_recipe(step.recipe), _task(step, None))
    except Exception:
        log.exception("the host of step %s could not be asked", step.step_id)
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
