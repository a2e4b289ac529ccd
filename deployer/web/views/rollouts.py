"""The list of rollouts and the page of one."""

from __future__ import annotations

from typing import Any

from deployer.queries import catalog, plans, rollouts, waves
from deployer.queries.paging import Page, Slice
from deployer.queries.rollouts import RolloutRow, StepRow
from deployer.queries.waves import WaveRow
from deployer.web import liveness
from deployer.web.live.views import Part, Rows, View


def listed(part: Slice) -> View:
    """The rollouts, newest first."""
    cursor = catalog.overall_revision()  # read first: what is read after it can only be newer, and then comes again
    page = rollouts.rollouts(part)
    return View(
        cursor=cursor,
        moving=any(rollout.moving for rollout in page.rows),
        address=("rollouts.index_changes", {"page": page.part.page} if page.part.page > 1 else {}),
        lists=(
            Rows(
                Part("rollouts", "rollouts/_rollouts.html", {"page": page}, swap="outerMorph"),
                tuple(Part(f"rollout-{row.id}", "rollouts/_row.html", {"rollout": row}) for row in page.rows),
                page.part_of,
            ),
        ),
        context={"page": page},
    )


def rollout(rollout_id: int, part: Slice, step_id: int | None) -> View:
    """One rollout: how far it is, each host's step, wave by wave, and the log of one step if one is chosen."""
    cursor = rollouts.cursor(rollout_id)
    row = rollouts.rollout(rollout_id)
    part = part.within(row.hosts)  # the list is long for a rollout of thousands of hosts
    steps = rollouts.steps(rollout_id, with_lines=False, part=part)
    groups = waves.waves(rollout_id, steps[0].wave, steps[-1].wave) if steps else []
    worker = liveness.watched(row.moving)
    head = {
        "rollout": row,
        "followers": rollouts.followers(rollout_id),
        "offers": plans.offers(row),
        "alive": worker["alive"],
    }
    step = rollouts.step(rollout_id, step_id) if step_id else None
    return View(
        cursor=cursor,
        moving=row.moving,
        address=("rollouts.changes", {"rollout_id": rollout_id, "page": part.page, **worker["watch"]}),
        regions=(
            Part("rollout-head", "rollouts/_head.html", head),
            *([Part("step-log", "rollouts/_log.html", {"step": step}, step.rev)] if step else []),
            *(_wave(row, one) for one in groups if row.waves > 1),
            *(_step(row, one) for one in steps),
        ),
        context={
            **head,
            "page": Page((), row.hosts, part),
            "steps": steps,
            "waves": {one.wave: one for one in groups},
            "step": step,
        },
        poller="rollouts/_poller.html",
        polls=row.moving,
    )


def _wave(row: RolloutRow, one: WaveRow) -> Part:
    return Part(f"wave-{one.wave}", "rollouts/_wave.html", {"wave": one, **_of(row)}, one.rev)


def _step(row: RolloutRow, one: StepRow) -> Part:
    return Part(f"step-{one.id}", "rollouts/_step.html", {"step": one, **_of(row)}, one.rev)


def _of(row: RolloutRow) -> dict[str, Any]:
    """What a row tells of its rollout; all of it stays the same."""
    told = ("waves", "origin", "from_label", "to_label")
    return {"rollout": {name: getattr(row, name) for name in told}}
