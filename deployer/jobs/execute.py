"""One taken step on its host: recipe and artifact in, settlement out. No database here."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from deployer import artifacts
from deployer.domain.recipe import parse_recipe
from deployer.domain.release import Task
from deployer.domain.status import Reach
from deployer.jobs import fetch
from deployer.jobs.deploy import Journal, deploy, probe
from deployer.jobs.recover import recover
from deployer.operations.steps import Settlement, TakenStep
from deployer.remote.local import LocalRunner
from deployer.remote.runner import Runner, RunnerError

log = logging.getLogger(__name__)
ASK_SECONDS = 10.0
Errand = Callable[[TakenStep, Path, Journal], Awaitable[Settlement]]


def runner_for(step: TakenStep) -> Runner:
    """The way to reach the step's host. Raises :class:`RunnerError` when this worker knows none."""
    if step.reach is Reach.LOCAL:
        return LocalRunner(step.address, step.directory)
    raise RunnerError(
        f"This worker knows no way to reach {step.hostname} ({step.reach}).",
        "Start workers of the same Deployer release as the web process, then try again.",
    )


async def execute(step: TakenStep, store: Path, say: Journal) -> Settlement:
    """Do the step. Ends with the truth about the host whatever happens, except when it is cancelled."""
    try:
        file = artifacts.path_of(store, step.artifact_sha256) if step.artifact_sha256 else None
        bring = functools.partial(fetch.artifact, store, step.artifact_sha256, step.artifact_url)
        outcome = await deploy(runner_for(step), parse_recipe(step.recipe), _task(step, file), say, bring)
    except Exception as problem:
        return await _crashed(step, say, problem)
    if outcome.ok:
        # The last word: without it a good log ends with whatever the health check met while the service came up.
        say.line(f"The service is up and answers with version {outcome.running}.")
    return Settlement(outcome.ok, outcome.running, outcome.reason)


async def ask_what_is_left(step: TakenStep, _store: Path, say: Journal) -> Settlement:
    """The end of a step whose worker died in the middle: by what the host shows, not by guessing."""
    try:
        outcome = await recover(runner_for(step), parse_recipe(step.recipe), _task(step, None), say)
    except Exception as problem:
        return await _crashed(step, say, problem)
    return Settlement(outcome.ok, outcome.running, outcome.reason)


async def _crashed(step: TakenStep, say: Journal, problem: Exception) -> Settlement:
    if isinstance(problem, RunnerError):  # from before anything was touched: a deployment ends with its own
        say.line(str(problem))
        return Settlement(False, None, str(problem))
    log.error("step %s crashed", step.step_id, exc_info=problem)
    say.line(f"Deployer itself failed here: {type(problem).__name__}: {problem}")
    return Settlement(False, await ask(step), "Deployer itself failed; the log of the worker has the details.")


async def ask(step: TakenStep) -> str | None:
    """Which version the host really runs now, or None."""
    try:
        return await probe(runner_for(step), parse_recipe(step.recipe), _task(step, None), ASK_SECONDS)
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
