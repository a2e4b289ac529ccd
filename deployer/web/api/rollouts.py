"""The main job over JSON: what can be chosen, what would happen, start, look."""

from __future__ import annotations

import contextlib
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.domain.plan import StartRollout, parse_action
from deployer.domain.status import Action, OnFailure, Origin, RolloutState, StepState
from deployer.domain.token import PlanChanged
from deployer.operations import rollouts as operations
from deployer.queries import catalog, plans, rollouts
from deployer.queries import steps as step_queries
from deployer.web.api.calls import call
from deployer.web.api.envelope import LIST, answer, listed, read_slice, when
from deployer.web.api.schema import ID, MOMENT, TEXT, WHOLE, YES_NO, many, maybe, more, thing, words
from deployer.web.auth import actor, needs
from deployer.web.errors import refusal
from deployer.web.forms.rollout import RolloutForm
from deployer.web.parameters import read_id
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/services/<id:service_id>/versions/<id:version_id>/<action>")(_targets)
    api.post("/services/<id:service_id>/versions/<id:version_id>/<action>")(_start)
    api.post("/services/<id:service_id>/versions/<id:version_id>/<action>/plan")(_plan)
    api.get("/rollouts")(_rollouts)
    api.get("/rollouts/<id:rollout_id>")(_rollout)


ROLLOUT = thing(
    "Rollout",
    id=ID,
    service_id=ID,
    service=TEXT,
    action=words(Action),
    from_version=TEXT,
    to_version=TEXT,
    state=words(RolloutState),
    reason=TEXT,
    origin=maybe(words(Origin)),
    origin_id=maybe(ID),
    undone_by=maybe(ID),
    crossed=many(TEXT),
    wave=WHOLE,
    waves=WHOLE,
    wave_size=TEXT,
    stop_after=WHOLE,
    pause_after_first=YES_NO,
    on_failure=words(OnFailure),
    paused_by=TEXT,
    created_by=TEXT,
    created=MOMENT,
    finished=maybe(MOMENT),
    **dict.fromkeys(("hosts", "queued", "running", "succeeded", "failed", "cancelled", "skipped"), WHOLE),
)
STEP = thing(
    "Step",
    id=ID,
    instance_id=ID,
    host_id=ID,
    host=TEXT,
    state=words(StepState),
    wave=WHOLE,
    attempt=WHOLE,
    phase=TEXT,
    failure=TEXT,
    error=TEXT,
    from_version=TEXT,
    to_version=TEXT,
    running_version=maybe(TEXT),
    started=maybe(MOMENT),
    finished=maybe(MOMENT),
    log=many(TEXT),
)
PLANNED_STEP = thing("PlannedStep", host_id=ID, host=TEXT, from_version=TEXT, to_version=TEXT)
PLAN = thing(
    "Plan",
    plan=TEXT,
    action=words(Action),
    from_version=TEXT,
    to_version=TEXT,
    wave_size=TEXT,
    stop_after=WHOLE,
    pause_after_first=YES_NO,
    on_failure=words(OnFailure),
    hosts=WHOLE,
    crosses=many(thing("CrossedVersion", version=TEXT, why=TEXT)),
    waves=many(many(PLANNED_STEP)),
)
TARGET = thing("Target", id=ID, version=TEXT, enable=YES_NO)
ACCEPTED = thing("Accepted", rollout_id=ID, accepted=many(ID))


def rollout_json(row: rollouts.RolloutRow) -> dict[str, Any]:
    """A rollout on the wire; the counts are numbers of hosts."""
    return {
        "id": row.id,
        "service_id": row.service_id,
        "service": row.service,
        "action": row.action.value,
        "from_version": row.from_label,
        "to_version": row.to_label,
        "state": row.state.value,
        "reason": row.reason,
        "origin": row.origin.value if row.origin else None,
        "origin_id": row.origin_id,
        "undone_by": row.undone_by,
        "crossed": row.past,
        "wave": row.wave,
        "waves": row.waves,
        "wave_size": row.wave_size,
        "stop_after": row.stop_after,
        "pause_after_first": row.pause_after_first,
        "on_failure": row.on_failure.value,
        "paused_by": row.paused_by,
        "created_by": row.created_by,
        "created": when(row.created),
        "finished": when(row.finished),
        "hosts": row.hosts,
        "queued": row.queued,
        "running": row.running,
        "succeeded": row.succeeded,
        "failed": row.failed,
        "cancelled": row.cancelled,
        "skipped": row.skipped,
    }


def plan_json(preview: plans.Preview) -> dict[str, Any]:
    """A plan on the wire, with the token that holds to it; ``hosts`` is a number, ``waves`` lists them."""
    plan, strategy = preview.plan, preview.plan.strategy
    return {
        "plan": str(preview.token),
        "action": plan.action.value,
        "from_version": plan.source.label,
        "to_version": plan.target.label,
        "wave_size": str(strategy.wave_size),
        "stop_after": strategy.stop_after,
        "pause_after_first": strategy.pause_after_first,
        "on_failure": strategy.on_failure.value,
        "hosts": len(plan.steps),
        "crosses": [{"version": one.label, "why": one.why} for one in preview.crosses],
        "waves": [
            [
                {
                    "host_id": step.host_id,
                    "host": step.hostname,
                    "from_version": step.from_version.label,
                    "to_version": step.to_version.label,
                }
                for step in wave
            ]
            for wave in plan.waves
        ],
    }


def step_json(row: step_queries.StepRow) -> dict[str, Any]:
    """A step on the wire; ``log`` holds the newest lines of its last attempt."""
    return {
        "id": row.id,
        "instance_id": row.instance_id,
        "host_id": row.host_id,
        "host": row.hostname,
        "state": row.state.value,
        "wave": row.wave,
        "attempt": row.attempt,
        "phase": row.phase,
        "failure": row.failure,
        "error": row.error,
        "from_version": row.from_label,
        "to_version": row.to_label,
        "running_version": row.running_label,
        "started": when(row.started),
        "finished": when(row.finished),
        "log": list(row.lines),
    }


@needs(Verb.VIEW)
@call("Where hosts can go from this version by {action}, newest first", many(TARGET))
def _targets(service_id: int, version_id: int, action: str) -> Response:
    found = catalog.targets(service_id, version_id, parse_action(action))
    return answer([{"id": one.id, "version": one.label, "enable": one.enable} for one in found])


def _asked(service_id: int, version_id: int, action: str) -> StartRollout:
    direction = parse_action(action)
    catalog.version(service_id, version_id)
    form: RolloutForm = RolloutForm.read(read_values(RolloutForm.field_names()))
    return form.command(service_id, version_id, direction)


@needs(Verb.ROLL_OUT)
@call("What would be done by {action}, host by host; changes nothing", PLAN, takes=RolloutForm)
def _plan(service_id: int, version_id: int, action: str) -> Response:
    return answer(plan_json(plans.rollout(_asked(service_id, version_id, action))))


@needs(Verb.ROLL_OUT)
@call("Start: {action} hosts that run this version now", ACCEPTED, 202, takes=RolloutForm)
def _start(service_id: int, version_id: int, action: str) -> Response:
    command = _asked(service_id, version_id, action)
    try:
        accepted = operations.start(command, actor())
    except PlanChanged as changed:
        with contextlib.suppress(Refused):  # by now there may be no plan at all; then the hint says what to do
            return refusal(changed, plan_json(plans.rollout(command)))
        raise
    return answer({"rollout_id": accepted.rollout_id, "accepted": list(accepted.host_ids)}, status=202)


@needs(None)
@call("The rollouts that you see, newest first", many(ROLLOUT), asks=(*LIST, "service_id"))
def _rollouts() -> Response:
    return listed(rollouts.rollouts(read_slice(), read_id("service_id"), actor().sees), rollout_json)


@needs(Verb.VIEW)
@call("A rollout, with its steps and the last lines of their logs", more(ROLLOUT, "RolloutWithSteps", steps=many(STEP)))
def _rollout(rollout_id: int) -> Response:
    row = rollouts.rollout(rollout_id)
    return answer(rollout_json(row) | {"steps": [step_json(step) for step in step_queries.steps(rollout_id)]})
