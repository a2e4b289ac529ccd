"""What was done, over JSON."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.queries import audit
from deployer.web.api.envelope import listed, read_slice
from deployer.web.asked import AUDIT, asked_audit
from deployer.web.auth import actor, needs
from deployer.web.exporting import download, entry_json, parse_format
from deployer.web.parameters import only, read_one


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/audit")(_audit)
    api.get("/audit/export")(_export)


@needs(Verb.AUDIT, anywhere=True)
def _audit() -> Response:
    only("page", "limit", *AUDIT)
    return listed(audit.entries(read_slice(), asked_audit(), actor().where(Verb.AUDIT)), entry_json)


@needs(Verb.AUDIT, anywhere=True)
def _export() -> Response:
    only("format", *AUDIT)
    kind = parse_format(read_one("format"))
    return download(asked_audit(), actor().where(Verb.AUDIT), kind)
