"""What programs do with a rollout: pause it, let it go on, cancel it, undo it, try its failed hosts again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.followup import LeftOut
from deployer.operations import rollouts as operations
from deployer.queries import rollouts
from deployer.web.api.envelope import answer
from deployer.web.api.rollouts import rollout_json
from deployer.web.auth import actor, needs
from deployer.web.following import FOLLOWUPS
from deployer.web.forms.base import StrictForm
from deployer.web.forms.followup import FollowUpForm, ResumeForm
from deployer.web.parameters import only, read_one
from deployer.web.values import read_values
from deployer.web.words import note


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
def _pause(rollout_id: int) -> Response:
    read_values(())
    operations.pause(rollout_id, actor())
    return _as_it_is(rollout_id)


@needs(Verb.ROLL_OUT)
def _resume(rollout_id: int) -> Response:
    form = _read(ResumeForm)
    operations.resume(rollout_id, form.host.value, actor())
    return _as_it_is(rollout_id)


@needs(Verb.ROLL_OUT)
def _cancel(rollout_id: int) -> Response:
    read_values(())
    operations.cancel(rollout_id, actor())
    return _as_it_is(rollout_id)


@needs(Verb.VIEW)
def _preview(rollout_id: int, kind: str) -> Response:
    only("host")
    form = ResumeForm.read({"host": read_one("host") if "host" in request.args else "all"})
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
def _follow(rollout_id: int, kind: str) -> Response:
    form = _read(FollowUpForm)
    found = FOLLOWUPS[kind].operation(rollout_id, form.host.value, actor(), form.plan.value, None)
    accepted = found.accepted
    data = {
        "rollout_id": accepted.rollout_id if accepted else None,
        "accepted": list(accepted.host_ids) if accepted else [],
        "left_out": _told(found.left_out),
    }
    return answer(data, status=202)


def _read(form: type[StrictForm]) -> Any:
    """The form's fields; every host is meant when none is named. An empty list of hosts names none, and is refused."""
    values: MultiDict[str, str] = read_values(form.field_names())
    values.setdefault("host", "all")
    return form.read(values)


def _as_it_is(rollout_id: int) -> Response:
    return answer(rollout_json(rollouts.rollout(rollout_id)), status=202)


def _told(left_out: Iterable[LeftOut]) -> list[dict[str, Any]]:
    return [{"host_id": one.host_id, "host": one.hostname, "why": note(one.why)} for one in left_out]
