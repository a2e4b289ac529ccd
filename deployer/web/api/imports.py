"""Import hosts over JSON: ask what would change, then send the same with the plan's token."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.machine import NewHost
from deployer.inventory import FORMATS
from deployer.operations import imports as operations
from deployer.operations.import_plan import ImportPlan
from deployer.operations.imports import ImportChanged
from deployer.web import importing
from deployer.web.api.calls import call
from deployer.web.api.envelope import answer
from deployer.web.api.schema import ID, TEXT, WHOLE, each, many, thing, words
from deployer.web.auth import actor, needs
from deployer.web.errors import refusal
from deployer.web.forms.imports import ConfirmedImportForm, ImportForm
from deployer.web.importing import Upload
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.post("/hosts/import/plan")(_plan_import)
    api.post("/hosts/import")(_import_hosts)


PLAN = thing(
    "ImportPlan",
    plan=TEXT,
    format=words(FORMATS),
    added=many(thing("AddedHost", line=WHOLE, **{field.name: TEXT for field in fields(NewHost)})),
    changed=many(thing("ChangedHost", line=WHOLE, id=ID, hostname=TEXT, changes=each(many(TEXT)))),
    unchanged=many(TEXT),
    refused=many(thing("RefusedHost", line=WHOLE, name=TEXT, why=many(TEXT))),
    credentials=many(thing("AddedCredential", name=TEXT, path=TEXT)),
    remarks=many(thing("ImportRemark", line=WHOLE, text=TEXT)),
)


def plan_json(upload: Upload, plan: ImportPlan, remarks: list[tuple[int, str]]) -> dict[str, Any]:
    """What an import would do, on the wire."""
    return {
        "plan": plan.digest,
        "format": upload.format,
        "added": [{"line": one.line, **one.host.as_typed()} for one in plan.added],
        "changed": [
            {"line": one.line, "id": one.host_id, "hostname": one.host.hostname, "changes": one.changes}
            for one in plan.changed
        ],
        "unchanged": list(plan.unchanged),
        "refused": [{"line": one.line, "name": one.name, "why": importing.why(one)} for one in plan.left_out],
        "credentials": [{"name": name, "path": path} for name, path in plan.credentials.items()],
        "remarks": [{"line": line, "text": text} for line, text in remarks],
    }


@needs(Verb.MANAGE_FLEET)
@call("What importing a file would change, host by host; changes nothing", PLAN, takes=ImportForm)
def _plan_import() -> Response:
    upload = ImportForm.read(read_values(ImportForm.field_names())).upload()
    found = importing.read(upload)
    return answer(plan_json(upload, importing.plan(upload, found), importing.remarks(found)))


@needs(Verb.MANAGE_FLEET)
@call("Import a file, exactly as its plan said", PLAN, takes=ConfirmedImportForm)
def _import_hosts() -> Response:
    form = ConfirmedImportForm.read(read_values(ConfirmedImportForm.field_names()))
    upload = form.upload()
    found = importing.read(upload)
    remarks = importing.remarks(found)
    try:
        done = operations.apply(lambda: importing.plan(upload, found), form.plan.value, actor())
    except ImportChanged as changed:
        return refusal(changed, plan_json(upload, changed.plan, remarks))
    return answer(plan_json(upload, done, remarks))
