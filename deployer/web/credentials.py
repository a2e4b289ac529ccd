"""Credentials: the list, add one, replace it, remove it. No page ever shows a secret."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import N_, Refused
from deployer.domain.reach import CredentialKind
from deployer.operations import credentials as operations
from deployer.queries import credentials
from deployer.queries.credentials import CredentialView
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput, StrictForm
from deployer.web.forms.credentials import CredentialForm
from deployer.web.htmx import closed_dialog, show_again
from deployer.web.values import read_values
from deployer.web.words import word

KINDS = {
    CredentialKind.KEY: N_("private key"),
    CredentialKind.PASSWORD: N_("password"),
    CredentialKind.FILE: N_("key file of the worker"),
}

blueprint = Blueprint("credentials", __name__, url_prefix="/credentials")


@blueprint.get("")
@needs(Verb.MANAGE_FLEET)
def index() -> str:
    """The credentials by name."""
    return render_template(
        "credentials/index.html",
        credentials=credentials.credentials(),
        sealable=credentials.can_be_sealed(),
        kinds=KINDS,
    )


@blueprint.get("/new")
@needs(Verb.MANAGE_FLEET)
def new() -> str:
    """The form that adds a credential."""
    return render_template("credentials/new.html", form=CredentialForm.of({"kind": "key"}), problems=[], **_choices())


@blueprint.post("")
@needs(Verb.MANAGE_FLEET)
def add() -> Response | tuple[str, int]:
    """Add a credential."""
    form = CredentialForm.of(request.form)
    try:
        form = CredentialForm.read(read_values(CredentialForm.field_names()))
        operations.add(form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("credentials/new.html", form, problem, **_choices())
    return redirect(url_for(".index"), 303)


@blueprint.get("/<id:credential_id>/replace")
@needs(Verb.MANAGE_FLEET)
def edit(credential_id: int) -> str:
    """The form that puts another secret in the place of the old one."""
    known = credentials.credential(credential_id)
    form = CredentialForm.of({"name": known.name, "kind": known.kind.value})
    return render_template("credentials/new.html", form=form, problems=[], **_choices(known))


@blueprint.post("/<id:credential_id>/replace")
@needs(Verb.MANAGE_FLEET)
def replace(credential_id: int) -> Response | tuple[str, int]:
    """Put another secret in the place of the old one."""
    known = credentials.credential(credential_id)
    form = CredentialForm.of(request.form)
    try:
        form = CredentialForm.read(read_values(CredentialForm.field_names()))
        operations.replace(credential_id, form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("credentials/new.html", form, problem, **_choices(known))
    return redirect(url_for(".index"), 303)


@blueprint.get("/<id:credential_id>/remove")
@needs(Verb.MANAGE_FLEET)
def ask_remove(credential_id: int) -> str:
    """The dialog that says what removing a credential means."""
    known = credentials.credential(credential_id)
    return render_template("credentials/remove.html", credential=known, problems=[])


@blueprint.post("/<id:credential_id>/remove")
@needs(Verb.MANAGE_FLEET)
def remove(credential_id: int) -> Response | tuple[str, int]:
    """Remove a credential that no host uses."""
    try:
        operations.remove(credential_id, actor())
    except Refused as problem:
        known = credentials.credential(credential_id)
        return show_again("credentials/remove.html", StrictForm.of({}), problem, credential=known)
    return closed_dialog(url_for(".index"))


def _choices(known: CredentialView | None = None) -> dict[str, Any]:
    return {
        "credential": known,
        "sealable": credentials.can_be_sealed(),
        "kinds": [(kind.value, word(text)) for kind, text in KINDS.items()],
    }
