"""The list of rollouts and the page of one."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from typing import Any

from deployer.domain.access import Verb
from deployer.domain.status import StepState
from deployer.queries import catalog, history, logs, people, plans, rollouts, waves
from deployer.queries import steps as step_queries
from deployer.queries.history import RolloutFilter
from deployer.queries.paging import Page, Slice
from deployer.queries.rollouts import RolloutRow
from deployer.queries.steps import StepRow
from deployer.queries.waves import WaveRow
from deployer.web import liveness
from deployer.web.live.views import Part, Rows, View


class AllHosts(Enum):
    """The log of all hosts, in the place of a step's id."""

    LOG = "all"


ALL_HOSTS = AllHosts.LOG


def listed(wanted: RolloutFilter, part: Slice, seen: frozenset[int] | None = None) -> View:
    """The rollouts that are wanted, newest first, of the services that are ``seen`` (None: all)."""
    cursor = catalog.overall_revision(seen)  # read first: what is read after it can only be newer, and then comes again
    page = history.history(part, wanted, seen)
    args = {name: value for name, value in asdict(wanted).items() if value}
    shown = {"page": page, "args": args}
    moving = any(told.rollout.moving for told in page.rows)
    worker = liveness.watched(moving)
    alive = {"alive": worker["alive"]}
    return View(
        cursor=cursor,
        moving=moving,
        address=("rollouts.index_changes", {**args, **page.address, **worker["watch"]}),
        regions=(Part("worker", "shared/_worker.html", alive),),
        lists=(
            Rows(
                Part("rollouts", "rollouts/_rollouts.html", shown, swap="outerMorph"),
                tuple(Part(f"rollout-{told.rollout.id}", "rollouts/_row.html", {"told": told}) for told in page.rows),
                page.part_of,
            ),
        ),
        context={**shown, **alive, "wanted": wanted},
        is_list=True,
    )


def rollout(rollout_id: int, part: Slice, log: int | AllHosts | None, wanted: StepState | None) -> View:
    """One rollout: how far it is, the steps that are wanted, wave by wave, and a log if one is chosen: a step's, by its
    id, or that of all hosts."""
    cursor = rollouts.cursor(rollout_id)
    row = rollouts.rollout(rollout_id)
    hosts = getattr(row, wanted.value) if wanted else row.hosts
    part = part.within(hosts)  # the list is long for a rollout of thousands of hosts
    steps = step_queries.steps(rollout_id, with_lines=False, part=part, state=wanted)
    groups = waves.waves(rollout_id, steps[0].wave, steps[-1].wave) if steps else []
    worker = liveness.watched(row.moving)
    head = {
        "rollout": row,
        "followers": rollouts.followers(rollout_id),
        "offers": plans.offers(row),
        "alive": worker["alive"],
        "ask": people.named_for(Verb.ROLL_OUT, row.service_id) if row.moving else "",
    }
    state = wanted.value if wanted else None
    step = _log(rollout_id, log) if log else None
    shown = {
        "rollout": row,
        "page": Page((), hosts, part),
        "steps": steps,
        "waves": {one.wave: one for one in groups},
        "wanted": state,
    }
    polled = {"page": part.page, "state": state, **worker["watch"]}
    return View(
        cursor=cursor,
        moving=row.moving,
        address=("rollouts.changes", {"rollout_id": rollout_id, **polled}),
        regions=(Part("rollout-head", "rollouts/_head.html", head), *([step] if step else [])),
        lists=(
            Rows(
                Part("steps", "rollouts/_steps.html", shown, swap="outerMorph"),
                (*(_wave(row, one) for one in groups if row.waves > 1), *(_step(row, one) for one in steps)),
                (part.page, hosts),
            ),
        ),
        context={**head, **shown, "step": step.shown["step"] if step else None},
        poller="rollouts/_poller.html",
        about=row.service_id,
        polls=row.moving,
    )


def merged(rollout_id: int) -> dict[str, Any]:
    """The log of all hosts, in the place of a step."""
    return {"merged": logs.merged(rollout_id), "most": logs.MERGED_LINES}


def _log(rollout_id: int, log: int | AllHosts) -> Part:
    if isinstance(log, AllHosts):
        return Part("step-log", "rollouts/_log.html", {"step": merged(rollout_id)})
    step = step_queries.step(rollout_id, log)
    return Part("step-log", "rollouts/_log.html", {"step": step}, step.rev)


def _wave(row: RolloutRow, one: WaveRow) -> Part:
    return Part(f"wave-{one.wave}", "rollouts/_wave.html", {"wave": one, **_of(row)}, one.rev)


def _step(row: RolloutRow, one: StepRow) -> Part:
    return Part(f"step-{one.id}", "rollouts/_step.html", {"step": one, **_of(row)}, one.rev)


def _of(row: RolloutRow) -> dict[str, Any]:
    """What a row tells of its rollout; all of it stays the same."""
    told = ("waves", "origin", "from_label", "to_label")
    return {"rollout": {name: getattr(row, name) for name in told}}
