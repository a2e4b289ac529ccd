"""The keys of a host: approve one that it has shown, forget one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused, no_such
from deployer.operations import host_keys as operations
from deployer.queries import hosts
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.hosts import KeyForm, TrustForm
from deployer.web.htmx import closed_dialog, show_again
from deployer.web.parameters import read_one
from deployer.web.values import read_values

blueprint = Blueprint("host_keys", __name__, url_prefix="/hosts/<id:host_id>/keys")


@blueprint.get("/trust")
@needs(Verb.MANAGE_FLEET)
def ask(host_id: int) -> str:
    """The dialog that shows what to compare before a key is approved."""
    wanted = _asked_for(host_id)
    form = TrustForm.of({"fingerprint": wanted})
    return render_template("hosts/trust.html", form=form, problems=[], **_shown(host_id, wanted))


@blueprint.post("/trust")
@needs(Verb.MANAGE_FLEET)
def trust(host_id: int) -> Response | tuple[str, int]:
    """Approve a key."""
    form = TrustForm.of(request.form)
    try:
        form = TrustForm.read(read_values(TrustForm.field_names()))
        operations.trust(host_id, form.fingerprint.value, actor(), replace=form.replace.value)
    except (Refused, RefusedInput) as problem:
        return show_again("hosts/trust.html", form, problem, **_shown(host_id, form.fingerprint.data or ""))
    return closed_dialog(url_for("hosts.show", host_id=host_id))


@blueprint.get("/forget")
@needs(Verb.MANAGE_FLEET)
def ask_forget(host_id: int) -> str:
    """The dialog that says what forgetting a key means."""
    wanted = _asked_for(host_id)
    form = KeyForm.of({"fingerprint": wanted})
    return render_template("hosts/forget.html", form=form, problems=[], **_shown(host_id, wanted))


@blueprint.post("/forget")
@needs(Verb.MANAGE_FLEET)
def forget(host_id: int) -> Response | tuple[str, int]:
    """Forget a key."""
    form = KeyForm.of(request.form)
    try:
        form = KeyForm.read(read_values(KeyForm.field_names()))
        operations.forget(host_id, form.fingerprint.value, actor())
    except (Refused, RefusedInput) as problem:
        return show_again("hosts/forget.html", form, problem, **_shown(host_id, form.fingerprint.data or ""))
    return closed_dialog(url_for("hosts.show", host_id=host_id))


def _asked_for(host_id: int) -> str:
    """The fingerprint that is asked for, of a key that the host has shown."""
    wanted = read_one("fingerprint")
    if wanted not in {key.fingerprint for key in hosts.keys(host_id)}:
        raise no_such("host key", "", "")
    return wanted or ""


def _shown(host_id: int, wanted: str) -> dict[str, Any]:
    keys = hosts.keys(host_id)
    return {
        "host": hosts.host(host_id),
        "key": next((key for key in keys if key.fingerprint == wanted), None),
        "approved": [key for key in keys if key.approved and key.fingerprint != wanted],
    }
