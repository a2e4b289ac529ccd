"""What programs do with a rollout: pause it, let it go on, cancel it, undo it, try its failed hosts again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import N_
from deployer.domain.followup import LeftOut
from deployer.domain.hosts import parse_host_ids
from deployer.domain.token import parse_plan_token
from deployer.operations import rollouts as operations
from deployer.queries import rollouts
from deployer.web.api.calls import call
from deployer.web.api.envelope import answer
from deployer.web.api.rollouts import ACCEPTED, PLANNED_STEP, ROLLOUT, rollout_json
from deployer.web.api.schema import ID, TEXT, WHOLE, many, maybe, more, thing
from deployer.web.auth import actor, needs
from deployer.web.following import FOLLOWUPS
from deployer.web.forms.base import Parsed, StrictForm
from deployer.web.parameters import read_one
from deployer.web.values import read_values
from deployer.web.words import note

LEFT_OUT = many(thing("LeftOutHost", host_id=ID, host=TEXT, why=TEXT))
FOLLOWED = more(ACCEPTED, "FollowUp", rollout_id=maybe(ID), left_out=LEFT_OUT)
PREVIEW = thing(
    "FollowUpPlan", plan=maybe(TEXT), steps=many(more(PLANNED_STEP, "FollowUpStep", wave=WHOLE)), left_out=LEFT_OUT
)


class HostsForm(StrictForm):
    """Every host is meant when none is named. An empty list of hosts names none, and is refused."""

    host = Parsed(N_("Hosts"), parse_host_ids, default="all")


class HostsAndPlanForm(HostsForm):
    """The same, and the token of the plan that was shown for exactly these hosts."""

    plan = Parsed(N_("Plan"), parse_plan_token, empty=None)


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.post("/rollouts/<id:rollout_id>/pause")(_pause)
    api.post("/rollouts/<id:rollout_id>/resume")(_resume)
    api.post("/rollouts/<id:rollout_id>/cancel")(_cancel)
    for kind in FOLLOWUPS:
        place = f"/rollouts/<id:rollout_id>/{kind}"
        api.get(place, endpoint=f"preview_{kind}", defaults={"kind": kind})(_preview)
        api.post(place, endpoint=kind, defaults={"kind": kind})(_follow)


@needs(Verb.ROLL_OUT)
@call("Start no further host; those that are being worked on come to their end", ROLLOUT, 202)
def _pause(rollout_id: int) -> Response:
    operations.pause(rollout_id, actor())
    return _as_it_is(rollout_id)


@needs(Verb.ROLL_OUT)
@call("Go on with the hosts that wait, or with these of them", ROLLOUT, 202, takes=HostsForm)
def _resume(rollout_id: int) -> Response:
    form = HostsForm.read(read_values(HostsForm.field_names()))
    operations.resume(rollout_id, form.host.value, actor())
    return _as_it_is(rollout_id)


@needs(Verb.ROLL_OUT)
@call("End a rollout: start no further host", ROLLOUT, 202)
def _cancel(rollout_id: int) -> Response:
    operations.cancel(rollout_id, actor())
    return _as_it_is(rollout_id)


@needs(Verb.VIEW)
@call("What would be done: {kind}", PREVIEW, asks=HostsForm.field_names(), conflicts=True)
def _preview(rollout_id: int, kind: str) -> Response:
    form = HostsForm.read({"host": read_one("host")} if "host" in request.args else {})
    if FOLLOWUPS[kind].begins_later(rollouts.rollout(rollout_id)):
        return answer({"plan": None, "steps": [], "left_out": []})
    found = FOLLOWUPS[kind].preview(rollout_id, form.host.value)
    steps = [
        {
            "host_id": step.host_id,
            "host": step.hostname,
            "from_version": step.from_version.label,
            "to_version": step.to_version.label,
            "wave": step.wave,
        }
        for step in found.plan.steps
    ]
    return answer({"plan": str(found.token), "steps": steps, "left_out": _told(found.left_out)})


@needs(Verb.ROLL_OUT)
@call("Start a rollout that follows this one: {kind}", FOLLOWED, 202, takes=HostsAndPlanForm)
def _follow(rollout_id: int, kind: str) -> Response:
    form = HostsAndPlanForm.read(read_values(HostsAndPlanForm.field_names()))
    found = FOLLOWUPS[kind].operation(rollout_id, form.host.value, actor(), form.plan.value, None)
    accepted = found.accepted
    data = {
        "rollout_id": accepted.rollout_id if accepted else None,
        "accepted": list(accepted.host_ids) if accepted else [],
        "left_out": _told(found.left_out),
    }
    return answer(data, status=202)


def _as_it_is(rollout_id: int) -> Response:
    return answer(rollout_json(rollouts.rollout(rollout_id)), status=202)


def _told(left_out: Iterable[LeftOut]) -> list[dict[str, Any]]:
    return [{"host_id": one.host_id, "host": one.hostname, "why": note(one.why)} for one in left_out]
