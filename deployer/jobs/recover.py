"""The end of a deployment whose worker was lost in the middle: by what the host shows, not by guessing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.domain import release
from deployer.domain.recipe import Recipe, ReleaseRecipe
from deployer.domain.release import Task
from deployer.jobs.deploy import facts, link_before, restore
from deployer.jobs.health import wait_for_version
from deployer.jobs.work import Failed, Journal, Outcome, Phase, Work
from deployer.remote.runner import Runner

PROBE_SECONDS = 10.0  # for a service that was being restarted when its worker was lost


@dataclass(frozen=True)
class Recovered:
    """How the deployment ended. ``untouched``: the version it came from is in service as if nothing had been begun, so
    it may be begun again."""

    outcome: Outcome
    untouched: bool = False


async def recover(runner: Runner, recipe: Recipe, task: Task, say: Journal) -> Recovered:
    """Keep a target that serves, take back one that does not, and let ``current`` name what runs."""
    work = Work(runner, recipe, task, say)
    lost = Failed(Phase.RECOVERING, "the worker that did it was lost in the middle")
    try:
        # Before anything is looked at: what the lost worker had begun must not go on and make it untrue.
        await work.run(Phase.RECOVERING, release.nothing(), quiet=True)
    except Failed as failure:
        reason = f"{lost} The host could not be asked what is left of it: {failure.cause.rstrip('.')}."
        say.line(reason)
        return Recovered(Outcome(False, None, reason, Phase.RECOVERING, failure.kind))
    found = (await wait_for_version(runner, recipe, task, None, seconds=PROBE_SECONDS, say=say.line)).running
    serves = False
    if found == task.to_version:
        try:
            await work.prove(found)
            serves = True
        except Failed as failure:
            lost = failure
    if isinstance(recipe, ReleaseRecipe):
        try:
            # Without a sha256: what is wanted is the truth about the host, and no judgement on the archive.
            host = facts(await work.run(Phase.PREPARING, release.prepare(replace(task, sha256=None)), quiet=True))
            switched = host.get("current") == f"releases/{task.to_version}"
            if not serves and (found == task.to_version or (found is None and switched)):
                return Recovered(await restore(work, recipe, link_before(host, task), lost))
            if found is not None:
                await _relink(work, host.get("current", ""), found)
        except Failed as failure:
            say.line(str(failure))
    if serves:
        say.line(f"The worker was lost in the middle, but {found} is in service.")
        say.phase(Phase.DONE)
        return Recovered(Outcome(True, found, "", Phase.DONE))
    say.line(str(lost))
    untouched = found is not None and found == task.from_version and found != task.to_version
    return Recovered(Outcome(False, found, str(lost), lost.phase, lost.kind), untouched)


async def _relink(work: Work, current: str, running: str) -> None:
    """Let ``current`` name what runs: the next start would bring up what nobody has recorded.

    A link to anywhere else is not of our making; it is left alone.
    """
    target = f"releases/{running}"
    if current.startswith("releases/") and current != target:
        await work.run(Phase.SWITCHING, release.switch(work.task, target), quiet=True)
        work.say.line(f"current named {current} while {running} runs; it names {target} again.")
