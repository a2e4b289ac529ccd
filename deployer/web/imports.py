"""Import hosts: the form, what would change, and doing it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Conflict, NotFound, Refused
from deployer.inventory import FORMATS
from deployer.operations import imports as operations
from deployer.operations.import_plan import ImportPlan
from deployer.operations.imports import ImportChanged
from deployer.web import importing
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.imports import ConfirmedImportForm, ImportForm
from deployer.web.htmx import show_again
from deployer.web.importing import Upload, decoded
from deployer.web.values import read_values
from deployer.web.words import lines

SHOWN = 200  # hosts of each kind on the page; the rest are counted

blueprint = Blueprint("imports", __name__, url_prefix="/hosts/import")


@blueprint.get("")
@needs(Verb.MANAGE_FLEET)
def new() -> str:
    """The form that takes a file or its text."""
    return render_template("imports/new.html", form=ImportForm.of({}), problems=[], formats=_formats())


@blueprint.post("/preview")
@needs(Verb.MANAGE_FLEET)
def preview() -> str | tuple[str, int]:
    """What importing it would change. Nothing is written."""
    form = ImportForm.of(request.form)
    try:
        values, filename = _sent(ImportForm.field_names())
        form = ImportForm.of(values)
        form.filename = filename
        form.check()
        upload = form.upload()
        found = importing.read(upload)
        planned = importing.plan(upload, found)
    except (Refused, RefusedInput) as problem:
        return show_again("imports/new.html", form, problem, formats=_formats())
    return render_template("imports/preview.html", problems=[], **_shown(upload, planned, importing.remarks(found)))


@blueprint.post("")
@needs(Verb.MANAGE_FLEET)
def apply() -> Response | tuple[str, int]:
    """Do what was shown, and nothing else."""
    form = ConfirmedImportForm.of(request.form)
    try:
        form = ConfirmedImportForm.read(read_values(ConfirmedImportForm.field_names()))
        upload = form.upload()
        found = importing.read(upload)
    except (Refused, RefusedInput) as problem:
        return show_again("imports/new.html", form, problem, formats=_formats())
    try:
        done = operations.apply(lambda: importing.plan(upload, found), form.plan.value, actor())
    except (Conflict, NotFound) as problem:
        now = problem.plan if isinstance(problem, ImportChanged) else importing.plan(upload, found)
        shown = _shown(upload, now, importing.remarks(found))
        return render_template("imports/preview.html", problems=lines(problem), **shown), 409
    flash(importing.told(done))
    return redirect(url_for("hosts.index"), 303)


def _sent(fields: tuple[str, ...]) -> tuple[MultiDict[str, str], str]:
    """The fields, with a file's text as the content, and the file's name."""
    values = read_values(fields)
    file = request.files.get("file")
    if file is None or not file.filename:
        return values, ""
    values["content"] = decoded(file.stream.read())
    return values, file.filename


def _formats() -> list[tuple[str, str]]:
    return [("", "–"), *((name, name) for name in FORMATS)]


def _shown(upload: Upload, planned: ImportPlan, remarks: list[tuple[int, str]]) -> dict[str, Any]:
    return {"upload": upload, "plan": planned, "why": importing.why, "remarks": remarks, "most": SHOWN}
