"""One taken step on its host: recipe and artifact in, settlement out. No database here."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path

from deployer import artifacts
from deployer.domain import release
from deployer.domain.fence import Fence
from deployer.domain.recipe import parse_recipe
from deployer.domain.release import Task
from deployer.jobs import fetch
from deployer.jobs.deploy import Journal, deploy, probe
from deployer.jobs.recover import recover
from deployer.jobs.ways import WayTo
from deployer.jobs.work import Name
from deployer.operations.places import Place
from deployer.operations.probes import TakenProbe
from deployer.operations.steps import Settlement, TakenStep
from deployer.remote.fenced import FencedRunner
from deployer.remote.runner import Runner, RunnerError

log = logging.getLogger(__name__)
ASK_SECONDS = 10.0
Errand = Callable[[TakenStep, Journal], Coroutine[None, None, Settlement]]


def fenced_runner(to: WayTo, step: TakenStep) -> Runner:
    """The way to the step's host, for commands that end those of every earlier step and attempt there, and yield to
    later ones."""
    return _fenced_runner(to, step.place, task_of(step), Fence(step.step_id, step.attempt))


def _fenced_runner(to: WayTo, place: Place, task: Task, mark: Fence) -> Runner:
    return FencedRunner(to(place), task.root, mark)


async def execute(to: WayTo, store: fetch.Store, step: TakenStep, say: Journal) -> Settlement:
    """Do the step. Ends with the truth about the host whatever happens, except when it is cancelled."""
    try:
        file = artifacts.path_of(store.directory, step.artifact_sha256) if step.artifact_sha256 else None
        bring = functools.partial(fetch.artifact, store, step.artifact_sha256, step.artifact_url)
        recipe = parse_recipe(step.place.recipe)
        outcome = await deploy(fenced_runner(to, step), recipe, task_of(step, file), say, bring)
    except Exception as problem:
        return await _crashed(to, step, say, problem)
    if outcome.ok:
        # The last word: without it a good log ends with whatever the health check met while the service came up.
        say.line(f"The service is up and answers with version {outcome.running}.")
    return Settlement(outcome.ok, outcome.running, outcome.reason, kind=outcome.kind)


async def ask_what_is_left(to: WayTo, step: TakenStep, say: Journal) -> Settlement:
    """The end of a step whose worker died in the middle: by what the host shows, not by guessing."""
    try:
        recovered = await recover(fenced_runner(to, step), parse_recipe(step.place.recipe), task_of(step), say)
    except Exception as problem:
        return await _crashed(to, step, say, problem)
    outcome = recovered.outcome
    return Settlement(outcome.ok, outcome.running, outcome.reason, recovered.untouched, outcome.kind)


async def ask(to: WayTo, probe_: TakenProbe) -> str | None:
    """Which version the host really runs now, or None.

    What the last step may have left at work there is ended first: it must not make the answer untrue afterwards.
    """
    place = probe_.place
    task = _task(place, probe_.label, probe_.label)
    if not probe_.last_step:  # Deployer has never sent a command there
        return await _asked(functools.partial(to, place), place, task)
    reach = functools.partial(_fenced_runner, to, place, task, Fence.after(probe_.last_step))
    return await _asked(reach, place, task, take=True)


async def _asked(reach: Callable[[], Runner], place: Place, task: Task, *, take: bool = False) -> str | None:
    try:
        runner = reach()
        if take:
            taken = await runner.run(release.nothing(), log.info)
            if not taken.ok:
                raise RunnerError(taken.failure)
        return await probe(runner, parse_recipe(place.recipe), task, ASK_SECONDS)
    except Exception:
        log.exception("%s could not be asked for the version of %s", place.hostname, place.service)
        return None


async def _crashed(to: WayTo, step: TakenStep, say: Journal, problem: Exception) -> Settlement:
    if isinstance(problem, RunnerError):  # from before anything was touched: a deployment ends with its own
        say.line(str(problem))
        return Settlement(False, None, str(problem), kind=problem.kind)
    log.error("step %s crashed", step.step_id, exc_info=problem)
    say.line(f"Deployer itself failed here: {type(problem).__name__}: {problem}")
    running = await _asked(functools.partial(fenced_runner, to, step), step.place, task_of(step))
    return Settlement(
        False, running, "Deployer itself failed; the log of the worker has the details.", kind=Name.INTERNAL
    )


def task_of(step: TakenStep, artifact: Path | None = None) -> Task:
    """The step as the recipes see it."""
    return _task(step.place, step.from_label, step.to_label, artifact, step.artifact_sha256)


def _task(
    place: Place, from_version: str, to_version: str, artifact: Path | None = None, sha256: str | None = None
) -> Task:
    return Task(
        service=place.service,
        hostname=place.hostname,
        address=place.address,
        port=place.port,
        directory=place.directory,
        from_version=from_version,
        to_version=to_version,
        artifact=artifact,
        sha256=sha256,
    )
