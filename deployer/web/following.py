"""What the dialogs offer that go on with a rollout, undo it or try its failed hosts again: which hosts, from → to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from deployer.domain.access import Actor
from deployer.domain.errors import Refused
from deployer.domain.hosts import MAX_HOSTS, HostChoice
from deployer.domain.ids import parse_id
from deployer.domain.plan import PlannedStep
from deployer.domain.token import PlanToken
from deployer.operations import followups
from deployer.operations.followups import Following
from deployer.queries import plans, rollouts
from deployer.queries import steps as step_queries
from deployer.queries.plans import Preview
from deployer.queries.rollouts import RolloutRow
from deployer.queries.steps import StepRow
from deployer.web.words import note, whole

LISTED = 500  # hosts in the checklist; the others are chosen as well
EVERYONE = HostChoice(everyone=True)


@dataclass(frozen=True)
class Candidate:
    """A host that can be part of it, and what would happen there."""

    host_id: int
    hostname: str
    from_label: str
    to_label: str
    wave: int

    @classmethod
    def of_plan(cls, step: PlannedStep) -> Candidate:
        """One that would begin anew."""
        return cls(step.host_id, step.hostname, step.from_version.label, step.to_version.label, step.wave)

    @classmethod
    def of_step(cls, step: StepRow) -> Candidate:
        """One that waits to be gone on with."""
        return cls(step.host_id, step.hostname, step.from_label, step.to_label, step.wave)


@dataclass(frozen=True)
class Offer:
    """One way to follow a rollout: what it would do, what does it, and when it is offered."""

    preview: Callable[[int, HostChoice], Preview]
    operation: Callable[[int, HostChoice, Actor, PlanToken | None, frozenset[int] | None], Following]
    begins_later: Callable[[RolloutRow], bool]


FOLLOWUPS = {
    "undo": Offer(plans.undo, followups.undo, lambda rollout: rollout.undo_waits),
    "retry": Offer(plans.retry, followups.retry, lambda _: False),
}


def choice(rollout_id: int, kind: str, typed: MultiDict[str, str] | None) -> dict[str, Any]:
    """Everything that the dialog of an undo or a retry shows. ``typed`` is what was posted, None when it opens: then
    every possible host is ticked. Raises NotFound."""
    rollout = rollouts.rollout(rollout_id)
    later = FOLLOWUPS[kind].begins_later(rollout)
    candidates: list[Candidate] = []
    left_out: list[tuple[str, str]] = []
    nothing = ""
    if not later:
        try:
            everything = FOLLOWUPS[kind].preview(rollout_id, EVERYONE)
        except Refused as refused:
            nothing = whole(refused)
        else:
            candidates = [Candidate.of_plan(step) for step in everything.plan.steps]
            left_out = [(one.hostname, note(one.why)) for one in everything.left_out]
    found = _hosts(candidates, typed)
    return {
        **found,
        **plan(rollout_id, kind, found["picked"]),
        **({"crosses": plans.crossed_by_undo(rollout_id)} if later else {}),
        "rollout": rollout,
        "kind": kind,
        "later": later,
        "left_out": left_out,
        "nothing": nothing,
        "review": False,
    }


def plan(rollout_id: int, kind: str, host_ids: Iterable[int]) -> dict[str, Any]:
    """What would happen on these hosts, all of which can be part of it: the token, how many go where, in which waves.
    No token when there are none, or one of them cannot be part of it any more."""
    ids = tuple(sorted(host_ids))
    nothing: dict[str, Any] = {"token": None, "shown": "", "goals": [], "plan_waves": 0, "crosses": ()}
    if not ids:
        return nothing
    try:
        preview = FOLLOWUPS[kind].preview(rollout_id, HostChoice(everyone=False, ids=ids))
    except Refused:
        return nothing
    return {
        "token": preview.token,
        "shown": ",".join(map(str, ids)),
        "goals": Counter(step.to_version.label for step in preview.plan.steps).most_common(),
        "plan_waves": len(preview.plan.waves),
        "crosses": preview.crosses,
    }


def waiting(rollout_id: int, typed: MultiDict[str, str] | None) -> dict[str, Any]:
    """Everything that the dialog shows with which a rollout goes on. Raises NotFound."""
    rollout = rollouts.rollout(rollout_id)
    steps = step_queries.waiting(rollout_id) if rollout.may_resume else []
    candidates = [Candidate.of_step(step) for step in steps]
    return {**_hosts(candidates, typed), "rollout": rollout, "kind": "resume", "left_out": []}


def _hosts(candidates: list[Candidate], typed: MultiDict[str, str] | None) -> dict[str, Any]:
    """The hosts to tick: those that ``typed`` ticks of them, or all. What is ticked beyond the list travels along."""
    possible = {one.host_id for one in candidates}
    picked = possible
    if typed is not None and typed.get("host") != "all":
        ids = (parse_id(text) for text in typed.getlist("host_id")[:MAX_HOSTS])
        picked = possible & {host_id for host_id in ids if host_id is not None}
    return {
        "candidates": candidates,
        "offered": candidates[:LISTED],
        "picked": picked,
        "beyond": [one.host_id for one in candidates[LISTED:] if one.host_id in picked],
    }
