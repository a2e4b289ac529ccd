"""Rollouts: the dialog that starts one (S5), the list, one of them live."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.domain.plan import parse_action
from deployer.domain.token import PlanChanged
from deployer.operations import rollouts as operations
from deployer.queries import catalog, history, plans, rollouts
from deployer.queries import steps as step_queries
from deployer.web import choosing, comparing, planning
from deployer.web.asked import PER_PAGE, asked_labels, asked_rollouts, asked_search, asked_slice, asked_state
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.rollout import PageRolloutForm, join_ticked
from deployer.web.htmx import closed_dialog, show_again
from deployer.web.live.answers import Answer, answer, page
from deployer.web.parameters import read_flag, read_id, read_one
from deployer.web.values import read_values
from deployer.web.views import rollouts as views

BASE = "/services/<id:service_id>/versions/<id:version_id>/<action>"

blueprint = Blueprint("rollouts", __name__)


@blueprint.get("/services/<id:service_id>/rollout")
@needs(Verb.ROLL_OUT)
def choose(service_id: int) -> Response:
    """Where the choices of current version and action lead: to the one address of that dialog."""
    action = parse_action(read_one("action"))
    version_id = read_id("version_id") or choosing.likely_source(service_id, action)
    locked = read_flag("locked")
    label = ",".join(asked_labels())
    chosen = {"q": asked_search(), "locked": None if locked is None else int(locked), "label": label}
    keep: dict[str, Any] = {name: value for name, value in chosen.items() if value not in ("", None)}
    address = url_for(".form", service_id=service_id, version_id=version_id, action=action.value, **keep)
    return redirect(address, 303)


@blueprint.get(BASE)
@needs(Verb.ROLL_OUT)
def form(service_id: int, version_id: int, action: str) -> str:
    """The upgrade / revert dialog, as a page or inside the dialog."""
    choice = choosing.choice(service_id, version_id, parse_action(action), MultiDict())
    return render_template("rollouts/new.html", form=PageRolloutForm.of({}), problems=[], review=False, **choice)


@blueprint.get(BASE + "/targets")
@needs(Verb.ROLL_OUT)
def targets(service_id: int, version_id: int, action: str) -> str:
    """The dropdown of target versions alone (S8)."""
    found = choosing.targets(catalog.version(service_id, version_id), parse_action(action), "")
    return render_template("rollouts/_targets.html", form=PageRolloutForm.of({}), **found)


@blueprint.post(BASE + "/hosts")
@needs(Verb.ROLL_OUT)
def hosts(service_id: int, version_id: int, action: str) -> str:
    """The checklist of hosts alone, filtered, ticks kept (S9). A post: 400 ticks are too long for an address."""
    found = choosing.hosts(catalog.version(service_id, version_id), parse_action(action), request.form)
    return render_template("rollouts/_hosts.html", form=PageRolloutForm.of({}), **found)


@blueprint.post(BASE + "/plan")
@needs(Verb.ROLL_OUT)
def plan(service_id: int, version_id: int, action: str) -> str:
    """What will happen, alone. A post for the same reason; it changes nothing, and says why there is no plan."""
    version, direction = catalog.version(service_id, version_id), parse_action(action)
    outlook = planning.look(service_id, version_id, direction, _sent())
    goal = choosing.targets(version, direction, request.form.get("dest_version", ""))["chosen"]
    compared = comparing.compare(catalog.service(service_id), version, goal.id if goal else None)
    form = PageRolloutForm.of(planning.known(request.form))
    context = {"version": version, "action": direction, "compared": compared, "outlook": outlook}
    return render_template("rollouts/_plan.html", form=form, **context)


@blueprint.post(BASE)
@needs(Verb.ROLL_OUT)
def start(service_id: int, version_id: int, action: str) -> Response | str | tuple[str, int]:
    """Start the rollout as its plan was shown; or show that plan, or the form again with why not."""
    direction = parse_action(action)
    catalog.version(service_id, version_id)
    filled = PageRolloutForm.of(request.form)
    try:
        filled = PageRolloutForm.read(join_ticked(_sent()))
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
    return read_values(PageRolloutForm.field_names(), listed=["host_id"])


def _review(filled: PageRolloutForm, choice: dict[str, Any]) -> str:
    return render_template("rollouts/new.html", form=filled, problems=[], review=True, **choice)


@blueprint.get("/rollouts")
@needs(None)
def index() -> str:
    """The rollouts that match the filter, newest first."""
    seen = actor().sees
    view = views.listed(asked_rollouts(), asked_slice(50), seen)
    return page("rollouts/index.html", view, services=history.services(seen), people=history.people(seen))


@blueprint.get("/rollouts/changes")
@needs(None, polls=True)
def index_changes() -> Answer:
    """What is different in the list."""
    wanted, part, seen = asked_rollouts(), asked_slice(50), actor().sees
    return answer(
        ("rollouts", wanted, part, seen),
        lambda: catalog.overall_revision(seen),
        lambda: views.listed(wanted, part, seen),
    )


@blueprint.get("/rollouts/<id:rollout_id>")
@needs(Verb.VIEW)
def show(rollout_id: int) -> str:
    """One rollout: how far it is, each host's step, the log of one of them; kept live by the poller."""
    log = _chosen_log() or step_queries.telling_step(rollout_id)
    shown = "all" if log is views.ALL_HOSTS else log
    view = views.rollout(rollout_id, asked_slice(PER_PAGE), log, asked_state())
    return page("rollouts/show.html", view, shown_log=shown)


@blueprint.get("/rollouts/<id:rollout_id>/steps/<id:step_id>")
@needs(Verb.VIEW)
def step(rollout_id: int, step_id: int) -> str:
    """The log of one step alone."""
    return render_template("rollouts/_log.html", step=step_queries.step(rollout_id, step_id))


@blueprint.get("/rollouts/<id:rollout_id>/log")
@needs(Verb.VIEW)
def log(rollout_id: int) -> str:
    """The log of all hosts alone."""
    rollouts.cursor(rollout_id)
    return render_template("rollouts/_log.html", step=views.merged(rollout_id))


@blueprint.get("/rollouts/<id:rollout_id>/changes")
@needs(Verb.VIEW, polls=True)
def changes(rollout_id: int) -> Answer:
    """What is different from what the page shows: its head, waves and hosts, and the log of ``step``, or of all."""
    part, log, wanted = asked_slice(PER_PAGE), _chosen_log(), asked_state()
    return answer(
        ("rollout", rollout_id, part, log, wanted),
        lambda: rollouts.cursor(rollout_id),
        lambda: views.rollout(rollout_id, part, log, wanted),
    )


def _chosen_log() -> int | views.AllHosts | None:
    return views.ALL_HOSTS if read_one("log") == "all" else read_id("step")
