"""What was done, by whom and from where: to read, to search, to take along."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response, render_template

from deployer.domain.access import Verb
from deployer.queries import audit, history
from deployer.web.asked import asked_audit, asked_slice
from deployer.web.auth import actor, needs
from deployer.web.exporting import FORMATS, download, parse_format
from deployer.web.parameters import read_one
from deployer.web.recalled import nouns, verbs

blueprint = Blueprint("audit", __name__, url_prefix="/audit")


@blueprint.get("")
@needs(Verb.AUDIT, anywhere=True)
def index() -> str:
    """The changes that match the filter, newest first."""
    wanted, seen = asked_audit(), actor().where(Verb.AUDIT)
    return render_template(
        "audit/index.html",
        page=audit.entries(asked_slice(), wanted, seen),
        wanted=wanted,
        args={name: value for name, value in asdict(wanted).items() if value not in ("", None)},
        services=history.services(seen),
        nouns=nouns(),
        verbs=verbs(),
        formats=FORMATS,
    )


@blueprint.get("/export")
@needs(Verb.AUDIT, anywhere=True)
def export() -> Response:
    """The changes that match the filter as a file, oldest first."""
    kind = parse_format(read_one("format"))
    return download(asked_audit(), actor().where(Verb.AUDIT), kind)
