"""What was done, over JSON."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.queries import audit
from deployer.web.api.calls import call
from deployer.web.api.envelope import LIST, listed, read_slice
from deployer.web.api.schema import ANYTHING, ID, MOMENT, TEXT, WHOLE, YES_NO, each, many, maybe, thing
from deployer.web.asked import AUDIT, asked_audit
from deployer.web.auth import actor, needs
from deployer.web.exporting import FORMATS, download, entry_json, parse_format
from deployer.web.parameters import read_one

# As ``entry_json`` has it.
ENTRY = thing(
    "AuditEntry",
    id=ID,
    at=MOMENT,
    actor=TEXT,
    verb=TEXT,
    noun=TEXT,
    noun_id=WHOLE,
    service_id=maybe(ID),
    rollout_id=maybe(ID),
    source=TEXT,
    token=TEXT,
    refused=YES_NO,
    facts=each(ANYTHING),
)


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/audit")(_audit)
    api.get("/audit/export")(_export)


@needs(Verb.AUDIT, anywhere=True)
@call("What was done and what was refused, newest first", many(ENTRY), asks=(*LIST, *AUDIT))
def _audit() -> Response:
    return listed(audit.entries(read_slice(), asked_audit(), actor().where(Verb.AUDIT)), entry_json)


@needs(Verb.AUDIT, anywhere=True)
@call("The same as a file, oldest first and whole", TEXT, asks=("format", *AUDIT), media=tuple(FORMATS.values()))
def _export() -> Response:
    kind = parse_format(read_one("format"))
    return download(asked_audit(), actor().where(Verb.AUDIT), kind)
