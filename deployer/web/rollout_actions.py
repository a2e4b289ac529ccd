"""What people do with a rollout: pause it, let it go on, cancel it, undo it, try its failed hosts again."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.operations import rollouts as operations
from deployer.web import following
from deployer.web.auth import actor, needs
from deployer.web.following import FOLLOWUPS
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.followup import ResumeForm, ReviewedForm
from deployer.web.forms.rollout import join_ticked
from deployer.web.htmx import closed_dialog, show_again
from deployer.web.planning import known
from deployer.web.values import read_values

FOLLOW = "/<any(undo, retry):kind>"

blueprint = Blueprint("rollout_actions", __name__, url_prefix="/rollouts/<id:rollout_id>")


@blueprint.post("/pause")
@needs(Verb.ROLL_OUT)
def pause(rollout_id: int) -> Response:
    """Start no further step until it is resumed."""
    operations.pause(rollout_id, actor())
    return redirect(_page(rollout_id), 303)


@blueprint.post("/cancel")
@needs(Verb.ROLL_OUT)
def cancel(rollout_id: int) -> Response:
    """Start no further step."""
    operations.cancel(rollout_id, actor())
    return redirect(_page(rollout_id), 303)


@blueprint.get("/resume")
@needs(Verb.ROLL_OUT)
def choose_waiting(rollout_id: int) -> str:
    """The dialog that goes on with the hosts that wait."""
    choice = following.waiting(rollout_id, None)
    return render_template("followups/resume.html", form=ResumeForm.of({}), problems=[], **choice)


@blueprint.post("/resume")
@needs(Verb.ROLL_OUT)
def resume(rollout_id: int) -> Response | tuple[str, int]:
    """Go on with the chosen hosts."""
    form = ResumeForm.of(request.form)
    try:
        form = ResumeForm.read(join_ticked(read_values(ResumeForm.field_names(), listed=["host_id"])))
        operations.resume(rollout_id, form.host.value, actor())
    except (Refused, RefusedInput) as problem:
        choice = following.waiting(rollout_id, request.form)
        return show_again("followups/resume.html", form, problem, **choice)
    return closed_dialog(_page(rollout_id))


@blueprint.get(FOLLOW)
@needs(Verb.ROLL_OUT)
def choose(rollout_id: int, kind: str) -> str:
    """The dialog of an undo or a retry, with every host that can be part of it ticked."""
    choice = following.choice(rollout_id, kind, None)
    return render_template(f"followups/{kind}.html", form=ReviewedForm.of({}), problems=[], **choice)


@blueprint.post(FOLLOW + "/plan")
@needs(Verb.ROLL_OUT)
def plan(rollout_id: int, kind: str) -> str:
    """What would happen on the ticked hosts alone, with its token."""
    choice = following.choice(rollout_id, kind, request.form)
    return render_template("followups/_plan.html", form=ReviewedForm.of(known(request.form)), **choice)


@blueprint.post(FOLLOW)
@needs(Verb.ROLL_OUT)
def follow(rollout_id: int, kind: str) -> Response | str | tuple[str, int]:
    """Begin it, or show the form again: with why not, or because other hosts are ticked than the plan was shown for."""
    template = f"followups/{kind}.html"
    form = ReviewedForm.of(request.form)
    try:
        form = ReviewedForm.read(join_ticked(read_values(ReviewedForm.field_names(), listed=["host_id"])))
        if not form.is_reviewed:
            choice = following.choice(rollout_id, kind, request.form) | {"review": True}
            return render_template(template, form=form, problems=[], **choice)
        asked = (form.host.value, actor(), form.plan.value, form.crosses.value)
        found = FOLLOWUPS[kind].operation(rollout_id, *asked)
    except (Refused, RefusedInput) as problem:
        choice = following.choice(rollout_id, kind, request.form)
        return show_again(template, form, problem, **choice)
    if found.accepted is None:
        return closed_dialog(_page(rollout_id))
    return closed_dialog(_page(found.accepted.rollout_id), leave=True)


def _page(rollout_id: int) -> str:
    return url_for("rollouts.show", rollout_id=rollout_id)
