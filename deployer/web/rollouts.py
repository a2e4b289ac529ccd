"""Rollouts: the dialog that starts one (S5), the list, one of them live."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.domain.plan import parse_action
from deployer.domain.status import StepState
from deployer.domain.token import PlanChanged
from deployer.operations import rollouts as operations
from deployer.queries import catalog, history, logs, plans, rollouts, waves
from deployer.queries.paging import Page, Slice
from deployer.queries.rollouts import StepRow
from deployer.queries.waves import WaveRow
from deployer.web import choosing, comparing, liveness, planning
from deployer.web.asked import PER_PAGE, asked_rollouts, asked_search, asked_since, asked_slice, asked_state
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.rollout import RolloutForm, join_ticked
from deployer.web.htmx import closed_dialog, interval, show_again
from deployer.web.parameters import read_flag, read_id, read_one
from deployer.web.values import read_values

BASE = "/services/<id:service_id>/versions/<id:version_id>/<action>"

blueprint = Blueprint("rollouts", __name__)


@blueprint.get("/services/<id:service_id>/rollout")
@needs(Verb.ROLL_OUT)
def choose(service_id: int) -> Response:
    """Where the choices of current version and action lead: to the one address of that dialog."""
    action = parse_action(read_one("action"))
    version_id = read_id("version_id") or choosing.likely_source(service_id, action)
    locked = read_flag("locked")
    chosen = {"q": asked_search(), "locked": None if locked is None else int(locked)}
    keep: dict[str, Any] = {name: value for name, value in chosen.items() if value not in ("", None)}
    address = url_for(".form", service_id=service_id, version_id=version_id, action=action.value, **keep)
    return redirect(address, 303)


@blueprint.get(BASE)
@needs(Verb.ROLL_OUT)
def form(service_id: int, version_id: int, action: str) -> str:
    """The upgrade / revert dialog, as a page or inside the dialog."""
    choice = choosing.choice(service_id, version_id, parse_action(action), MultiDict())
    return render_template("rollouts/new.html", form=RolloutForm.of({}), problems=[], review=False, **choice)


@blueprint.get(BASE + "/targets")
@needs(Verb.ROLL_OUT)
def targets(service_id: int, version_id: int, action: str) -> str:
    """The dropdown of target versions alone (S8)."""
    found = choosing.targets(service_id, version_id, parse_action(action), "")
    return render_template("rollouts/_targets.html", form=RolloutForm.of({}), **found)


@blueprint.post(BASE + "/hosts")
@needs(Verb.ROLL_OUT)
def hosts(service_id: int, version_id: int, action: str) -> str:
    """The checklist of hosts alone, filtered, ticks kept (S9). A post: 400 ticks are too long for an address."""
    found = choosing.hosts(service_id, version_id, parse_action(action), request.form)
    return render_template("rollouts/_hosts.html", form=RolloutForm.of({}), **found)


@blueprint.post(BASE + "/plan")
@needs(Verb.ROLL_OUT)
def plan(service_id: int, version_id: int, action: str) -> str:
    """What will happen, alone. A post for the same reason; it changes nothing, and says why there is no plan."""
    version, direction = catalog.version(service_id, version_id), parse_action(action)
    outlook = planning.look(service_id, version_id, direction, _sent())
    goal = choosing.targets(service_id, version_id, direction, request.form.get("dest_version", ""))["chosen"]
    compared = comparing.compare(catalog.service(service_id), version, goal.id if goal else None)
    context = {"form": RolloutForm.of({}), "version": version, "action": direction, "compared": compared}
    return render_template("rollouts/_plan.html", outlook=outlook, **context)


@blueprint.post(BASE)
@needs(Verb.ROLL_OUT)
def start(service_id: int, version_id: int, action: str) -> Response | str | tuple[str, int]:
    """Start the rollout as its plan was shown; or show that plan, or the form again with why not."""
    direction = parse_action(action)
    catalog.version(service_id, version_id)
    filled = RolloutForm.of(request.form)
    try:
        filled = RolloutForm.read(join_ticked(_sent()))
        command = filled.command(service_id, version_id, direction)
        if command.token is None:
            plans.rollout(command)  # what would be refused is refused now
            return _review(filled, choosing.choice(service_id, version_id, direction, request.form))
        accepted = operations.start(command, actor())
    except (Refused, RefusedInput) as problem:
        choice = choosing.choice(service_id, version_id, direction, request.form)
        if isinstance(problem, PlanChanged) and choice["outlook"].is_as_of(filled.plan.value):
            return _review(filled, choice)  # the world is as it was: what the person chose is not what was shown
        return show_again("rollouts/new.html", filled, problem, review=False, **choice)
    return closed_dialog(url_for(".show", rollout_id=accepted.rollout_id))


def _sent() -> MultiDict[str, str]:
    return read_values(RolloutForm.field_names(), listed=["host_id"])


def _review(filled: RolloutForm, choice: dict[str, Any]) -> str:
    return render_template("rollouts/new.html", form=filled, problems=[], review=True, **choice)


@blueprint.get("/rollouts")
@needs(Verb.VIEW)
def index() -> str:
    """The rollouts that match the filter, newest first."""
    wanted = asked_rollouts()
    page = history.history(asked_slice(50), wanted)
    return render_template(
        "rollouts/index.html",
        page=page,
        alive=liveness.watched(any(told.rollout.moving for told in page.rows))["alive"],
        wanted=wanted,
        args={name: value for name, value in asdict(wanted).items() if value},
        services=history.services(),
        people=history.people(),
    )


@blueprint.get("/rollouts/<id:rollout_id>")
@needs(Verb.VIEW)
def show(rollout_id: int) -> str:
    """One rollout: how far it is, each host's step, the log of one of them; kept live by the poller."""
    wanted = asked_state()
    cursor = _cursor(rollout_id, wanted)
    steps = rollouts.steps(rollout_id, with_lines=False, part=cursor["page"].part, state=wanted)
    return render_template(
        "rollouts/show.html",
        **cursor,
        steps=steps,
        wanted=wanted.value if wanted else "",
        waves={row.wave: row for row in _waves(rollout_id, steps)},
        step=_merged(rollout_id) if _wants_all() else _telling(rollout_id),
    )


@blueprint.get("/rollouts/<id:rollout_id>/steps/<id:step_id>")
@needs(Verb.VIEW)
def step(rollout_id: int, step_id: int) -> str:
    """The log of one step alone."""
    return render_template("rollouts/_log.html", step=rollouts.step(rollout_id, step_id))


@blueprint.get("/rollouts/<id:rollout_id>/log")
@needs(Verb.VIEW)
def log(rollout_id: int) -> str:
    """The log of all hosts alone."""
    rollouts.cursor(rollout_id)
    return render_template("rollouts/_log.html", step=_merged(rollout_id))


@blueprint.get("/rollouts/<id:rollout_id>/changes")
@needs(Verb.VIEW)
def changes(rollout_id: int) -> str | tuple[str, int]:
    """What changed after the revision ``since`` of its service, and whether a worker lives, which has no revision."""
    since = asked_since()
    rev = rollouts.cursor(rollout_id)
    if rev == since and not liveness.has_changed():
        return "", 204
    after = since if since <= rev else -1  # a cursor ahead of ours is from before the database was restored
    cursor = _cursor(rollout_id)
    steps = _steps(rollout_id, cursor["page"].part)
    changed = [row for row in steps if row.rev > after]
    shown = read_id("step")
    step: StepRow | dict[str, Any] | None = None
    if changed and _wants_all():
        step = _merged(rollout_id)
    elif shown in {row.id for row in changed}:
        step = rollouts.step(rollout_id, shown)
    moved = _waves(rollout_id, steps, after)
    return render_template("rollouts/_changes.html", **cursor, changed=changed, waves=moved, step=step)


def _cursor(rollout_id: int, wanted: StepState | None = None) -> dict[str, Any]:
    rev = rollouts.cursor(rollout_id)  # read first: what is read after it can only be newer, and is then sent again
    rollout = rollouts.rollout(rollout_id)
    hosts = getattr(rollout, wanted.value) if wanted else rollout.hosts
    part = asked_slice(PER_PAGE).within(hosts)
    return {
        "rollout": rollout,
        "followers": rollouts.followers(rollout_id),
        "offers": plans.offers(rollout),
        **liveness.watched(rollout.moving),
        "rev": rev,
        "every": interval(rollout.moving),
        "page": Page((), hosts, part),
    }


def _steps(rollout_id: int, part: Slice) -> list[StepRow]:
    """The steps on the page's slice of the list, which is long for a rollout of thousands of hosts."""
    return rollouts.steps(rollout_id, with_lines=False, part=part)


def _waves(rollout_id: int, steps: list[StepRow], since: int = -1) -> list[WaveRow]:
    """The waves of ``steps`` of which something changed after the revision ``since``."""
    return waves.waves(rollout_id, steps[0].wave, steps[-1].wave, since) if steps else []


def _wants_all() -> bool:
    return read_one("log") == "all"


def _merged(rollout_id: int) -> dict[str, Any]:
    return {"merged": logs.merged(rollout_id)}


def _telling(rollout_id: int) -> StepRow | None:
    chosen = read_id("step") or rollouts.telling_step(rollout_id)
    return rollouts.step(rollout_id, chosen) if chosen else None
