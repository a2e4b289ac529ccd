"""The main job over JSON: what can be chosen, start, look, cancel."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.plan import parse_action
from deployer.operations import rollouts as operations
from deployer.queries import catalog, rollouts
from deployer.web.api.envelope import answer, listed, read_slice, when
from deployer.web.auth import actor
from deployer.web.forms.rollout import RolloutForm
from deployer.web.parameters import only, read_id
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/services/<id:service_id>/versions/<id:version_id>/<action>")(_targets)
    api.post("/services/<id:service_id>/versions/<id:version_id>/<action>")(_start)
    api.get("/rollouts")(_rollouts)
    api.get("/rollouts/<id:rollout_id>")(_rollout)
    api.post("/rollouts/<id:rollout_id>/cancel")(_cancel)


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
        "created_by": row.created_by,
        "created": when(row.created),
        "finished": when(row.finished),
        "hosts": row.hosts,
        "running": row.running,
        "succeeded": row.succeeded,
        "failed": row.failed,
        "cancelled": row.cancelled,
    }


def step_json(row: rollouts.StepRow) -> dict[str, Any]:
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
        "error": row.error,
        "from_version": row.from_label,
        "to_version": row.to_label,
        "running_version": row.running_label,
        "started": when(row.started),
        "finished": when(row.finished),
        "log": list(row.lines),
    }


def _targets(service_id: int, version_id: int, action: str) -> Response:
    only()
    found = catalog.targets(service_id, version_id, parse_action(action))
    return answer([{"id": one.id, "version": one.label, "enable": one.enable} for one in found])


def _start(service_id: int, version_id: int, action: str) -> Response:
    actor().require(Verb.ROLL_OUT)
    direction = parse_action(action)
    catalog.version(service_id, version_id)
    form = RolloutForm.read(read_values(RolloutForm.field_names()))
    accepted = operations.start(form.command(service_id, version_id, direction), actor())
    return answer({"rollout_id": accepted.rollout_id, "accepted": list(accepted.host_ids)}, status=202)


def _rollouts() -> Response:
    only("page", "limit", "service_id")
    return listed(rollouts.rollouts(read_slice(), read_id("service_id")), rollout_json)


def _rollout(rollout_id: int) -> Response:
    only()
    row = rollouts.rollout(rollout_id)
    return answer(rollout_json(row) | {"steps": [step_json(step) for step in rollouts.steps(rollout_id)]})


def _cancel(rollout_id: int) -> Response:
    actor().require(Verb.ROLL_OUT)
    read_values(())
    operations.cancel(rollout_id, actor())
    return answer(rollout_json(rollouts.rollout(rollout_id)), status=202)
