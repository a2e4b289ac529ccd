"""One version onto one host, by its recipe: what to do in which order, and what to do when it goes wrong.

What is said to run at the end was asked from the host. A cancellation passes through untouched: whoever cancels has
lost the right to go on here, so restoring is the business of whoever holds the host next.
"""

from __future__ import annotations

from dataclasses import replace

from deployer.domain import release
from deployer.domain.names import is_name
from deployer.domain.recipe import Recipe, ReleaseRecipe, ScriptRecipe
from deployer.domain.release import Task
from deployer.jobs.health import probe
from deployer.jobs.work import Failed, Fetch, Journal, Outcome, Phase, Work
from deployer.remote.runner import CommandResult, Runner

__all__ = ["Fetch", "Journal", "Outcome", "Phase", "deploy", "facts", "link_before", "probe", "restore"]


async def deploy(runner: Runner, recipe: Recipe, task: Task, say: Journal, fetch: Fetch | None = None) -> Outcome:
    """Bring ``task.to_version`` onto the host and prove it; restore the release before it if that does not work.

    ``fetch`` brings the artifact to where ``task`` says it is; a release that is kept on the host never asks for it.
    """
    work = Work(runner, recipe, task, say, fetch)
    if isinstance(recipe, ScriptRecipe):
        return await _script(work, recipe)
    return await _release(work, recipe)


async def _script(work: Work, recipe: ScriptRecipe) -> Outcome:
    task = work.task
    try:
        if task.artifact is not None:
            await work.run(Phase.PREPARING, release.prepare(task), quiet=True)
            await work.run(Phase.VERIFYING, release.verify(task, await work.send()))
        await work.run(Phase.DEPLOYING, release.own_command(task, recipe.deploy, "deploy", recipe.timeout))
        running = await work.prove(task.to_version)
    except Failed as failure:
        return await work.failed(failure, "")
    work.say.phase(Phase.DONE)
    return Outcome(True, running, "", Phase.DONE)


async def _release(work: Work, recipe: ReleaseRecipe) -> Outcome:
    task = work.task
    previous: str | None = None
    try:
        host = facts(await work.run(Phase.PREPARING, release.prepare(task), quiet=True))
        previous = link_before(host, task)
        if "release" in host:
            work.say.line(f"Release {task.to_version} is kept on the host and used again.")
        else:
            sha256 = await work.send()
            await work.run(Phase.UNPACKING, release.unpack(task, sha256))
        await work.run(Phase.SWITCHING, release.switch(task, f"releases/{task.to_version}"), quiet=True)
    except Failed as failure:
        if failure.phase is not Phase.SWITCHING or failure.certain:
            return await work.failed(failure, "The release in use was not touched.")
        return await restore(work, recipe, previous, failure)
    try:
        running = await _activate(work, recipe, task.to_version)
    except Failed as failure:
        return await restore(work, recipe, previous, failure)
    await _prune(work, recipe)
    work.say.phase(Phase.DONE)
    return Outcome(True, running, "", Phase.DONE)


async def _activate(work: Work, recipe: ReleaseRecipe, wanted: str | None) -> str | None:
    """Make the release that ``current`` points at the one in service."""
    restart = release.own_command(work.task, recipe.restart, "restart", recipe.restart_timeout, work.task.current)
    await work.run(Phase.RESTARTING, restart)
    return await work.prove(wanted)


async def _prune(work: Work, recipe: ReleaseRecipe) -> None:
    try:
        await work.run(Phase.PRUNING, release.prune(work.task, recipe.keep))
    except Failed as failure:
        work.say.line(str(failure))  # a version is in service; old files are no reason to say that it failed


async def restore(work: Work, recipe: ReleaseRecipe, previous: str | None, failure: Failed) -> Outcome:
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
    except Failed as again:
        return await work.failed(failure, f"Restoring release {name} did not work either: {again}")
    await _prune(back, recipe)  # not the release that failed: it is where ``back`` comes from, and worth a look
    return await work.failed(failure, f"The previous release {name} was restored.")


def facts(result: CommandResult) -> dict[str, str]:
    """What ``prepare`` found on the host."""
    return {key: value for key, _, value in (line.partition("=") for line in result.stdout) if value}


def link_before(host: dict[str, str], task: Task) -> str | None:
    """What to go back to, as a link target. When an attempt before this one had switched already, ``current`` points
    at the target itself, and the recorded origin is what was there before."""
    current = host.get("current")
    if current not in (None, f"releases/{task.to_version}"):
        # A link to anywhere else is not of our making, and nothing that could be brought back.
        return current if current.startswith("releases/") and is_name(current.removeprefix("releases/")) else None
    if "origin" in host and task.from_version != task.to_version:
        return f"releases/{task.from_version}"
    return None
