"""How pages answer HTMX: what a post tells the page, a refused form again."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from deployer.domain.errors import Conflict, Forbidden, NotFound, Refused
from deployer.web.forms.base import RefusedInput, StrictForm
from deployer.web.words import lines, summary, whole


def closed_dialog(otherwise: str, *, leave: bool = False) -> AnyResponse:
    """A post that succeeded: with HTMX the dialog closes and the poller fires; else the browser goes to ``otherwise``.
    With ``leave`` it goes there in any case, because what was done cannot be watched where it was asked for.

    The only place where the kind of client decides, because the two need different answers to the same post.
    """
    if "HX-Request" not in request.headers:
        return redirect(otherwise, 303)
    # In this order: the form is still on the page when the first one bubbles up from it.
    events = {"rolloutStarted": {}, "closeDialog": {"otherwise": otherwise, "leave": leave}}
    return Response(status=204, headers={"HX-Trigger": json.dumps(events)})


def show_again(template: str, form: StrictForm, problem: Refused | RefusedInput, **context: Any) -> tuple[str, int]:
    """The page with the form as it was typed, each refusal beneath its field: 409 when the world is at fault, else 422.

    A refusal that no change of the form can mend is raised again.
    """
    if isinstance(problem, Refused):
        if isinstance(problem, Forbidden) or (isinstance(problem, NotFound) and not problem.field):
            raise problem
        refusals = {problem.field: problem}
    else:
        refusals = dict(problem.refusals)
    for name, refused in refusals.items():
        if name in form:
            form[name].errors = [whole(refused)]
    status = 409 if any(isinstance(refused, Conflict) for refused in refusals.values()) else 422
    problems = [line for name, refused in refusals.items() for line in _on_top(form, name, refused)]
    return render_template(template, form=form, problems=problems, **context), status


def _on_top(form: StrictForm, name: str, refused: Refused) -> list[str]:
    """What to do about it stands beneath the field; on top only what is wrong, unless no field shows it."""
    shown = name in form and not form[name].flags.hidden
    return [summary(refused)] if shown else lines(refused)
