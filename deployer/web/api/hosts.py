"""Hosts, their keys and their checks over JSON."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.facts import DIRECTORIES, CheckState
from deployer.domain.status import Reach
from deployer.operations import checks, host_keys
from deployer.operations import hosts as operations
from deployer.queries import hosts
from deployer.web.api.calls import call
from deployer.web.api.envelope import LIST, answer, listed, read_slice, when
from deployer.web.api.schema import ID, MOMENT, NUMBER, TEXT, WHOLE, YES_NO, many, maybe, thing, words
from deployer.web.asked import HOSTS, asked_hosts
from deployer.web.auth import actor, needs
from deployer.web.forms.hosts import HostForm, KeyForm, TrustForm
from deployer.web.values import read_values
from deployer.web.words import note


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/hosts")(_hosts)
    api.post("/hosts")(_add_host)
    api.get("/hosts/<id:host_id>")(_host)
    api.post("/hosts/<id:host_id>")(_change_host)
    api.post("/hosts/<id:host_id>/retire")(_retire)
    api.post("/hosts/<id:host_id>/bring-back")(_bring_back)
    api.post("/hosts/<id:host_id>/check")(_check)
    api.get("/hosts/<id:host_id>/keys")(_keys)
    api.post("/hosts/<id:host_id>/keys/trust")(_trust)
    api.post("/hosts/<id:host_id>/keys/forget")(_forget)


FACTS = thing(
    "HostFacts",
    os=TEXT,
    user=TEXT,
    directory=words(DIRECTORIES),
    missing=many(TEXT),
    proc=YES_NO,
    disk_free=maybe(WHOLE),
    disk_total=maybe(WHOLE),
    memory_free=maybe(WHOLE),
    memory_total=maybe(WHOLE),
    skew=maybe(NUMBER),
    round_trip=NUMBER,
    refused=many(TEXT),
)
CHECK = thing(
    "HostCheck",
    state=words(CheckState),
    asked_by=maybe(TEXT),
    at=maybe(MOMENT),
    kind=TEXT,
    cause=TEXT,
    remedy=TEXT,
    warnings=many(TEXT),
    facts=maybe(FACTS),
)
HOST = thing(
    "Host",
    id=ID,
    hostname=TEXT,
    address=TEXT,
    reach=words(Reach),
    directory=TEXT,
    description=TEXT,
    labels=many(TEXT),
    ssh_user=TEXT,
    ssh_port=maybe(WHOLE),
    jump=TEXT,
    credential=maybe(TEXT),
    instances=WHOLE,
    retired=maybe(MOMENT),
    check=CHECK,
    keys_approved=WHOLE,
    keys_offered=WHOLE,
    updated_by=TEXT,
    updated=MOMENT,
)
KEY = thing("HostKey", fingerprint=TEXT, key=TEXT, seen=MOMENT, approved=maybe(MOMENT), approved_by=TEXT)


def host_json(row: hosts.HostRow) -> dict[str, Any]:
    """A host on the wire."""
    return {
        "id": row.id,
        "hostname": row.hostname,
        "address": row.address,
        "reach": row.reach.value,
        "directory": row.directory,
        "description": row.description,
        "labels": list(row.labels),
        "ssh_user": row.login.user,
        "ssh_port": row.login.port,
        "jump": row.login.jump,
        "credential": row.credential,
        "instances": row.instances,
        "retired": when(row.retired),
        "check": {
            "state": row.state.value,
            "asked_by": row.check_by,
            "at": when(row.checked),
            "kind": row.check_kind,
            "cause": row.check_cause,
            "remedy": row.check_remedy,
            "warnings": [note(one) for one in row.warnings],
            "facts": row.facts.dump() if row.facts else None,
        },
        "keys_approved": row.approved_keys,
        "keys_offered": row.offered_keys,
        "updated_by": row.updated_by,
        "updated": when(row.updated),
    }


def key_json(row: hosts.HostKeyRow) -> dict[str, Any]:
    """A host's key on the wire."""
    return {
        "fingerprint": row.fingerprint,
        "key": row.key,
        "seen": when(row.seen),
        "approved": when(row.approved),
        "approved_by": row.approved_by,
    }


@needs(Verb.VIEW)
@call("The hosts in use, or those that were retired, by name", many(HOST), asks=(*LIST, *HOSTS))
def _hosts() -> Response:
    return listed(hosts.hosts(read_slice(), asked_hosts()), host_json)


@needs(Verb.MANAGE_FLEET)
@call("Add a host", HOST, 201, takes=HostForm)
def _add_host() -> Response:
    form = HostForm.read(read_values(HostForm.field_names()))
    return _as_it_is(operations.add_host(form.new(), actor()), 201)


@needs(Verb.VIEW)
@call("A host, with what its last check found", HOST)
def _host(host_id: int) -> Response:
    return _as_it_is(host_id)


@needs(Verb.MANAGE_FLEET)
@call("Change a host: all fields as for adding it", HOST, takes=HostForm)
def _change_host(host_id: int) -> Response:
    hosts.host(host_id)
    form = HostForm.read(read_values(HostForm.field_names()))
    operations.change_host(host_id, form.new(), actor())
    return _as_it_is(host_id)


@needs(Verb.MANAGE_FLEET)
@call("Take a host out of use, when nothing runs there", HOST)
def _retire(host_id: int) -> Response:
    operations.retire(host_id, actor())
    return _as_it_is(host_id)


@needs(Verb.MANAGE_FLEET)
@call("Put a host into use again", HOST)
def _bring_back(host_id: int) -> Response:
    operations.bring_back(host_id, actor())
    return _as_it_is(host_id)


@needs(Verb.ROLL_OUT)
@call("Have a worker test the connection; `check.state` tells the answer", HOST, 202)
def _check(host_id: int) -> Response:
    checks.ask(host_id, actor())
    return _as_it_is(host_id, 202)


@needs(Verb.VIEW)
@call("The keys that a host has shown, approved or not", many(KEY))
def _keys(host_id: int) -> Response:
    hosts.host(host_id)
    return answer([key_json(key) for key in hosts.keys(host_id)])


@needs(Verb.MANAGE_FLEET)
@call("Approve a key; `replace` gives up the one that is approved now", many(KEY), takes=TrustForm)
def _trust(host_id: int) -> Response:
    form = TrustForm.read(read_values(TrustForm.field_names()))
    host_keys.trust(host_id, form.fingerprint.value, actor(), replace=form.replace.value)
    return answer([key_json(key) for key in hosts.keys(host_id)])


@needs(Verb.MANAGE_FLEET)
@call("Forget a key", many(KEY), takes=KeyForm)
def _forget(host_id: int) -> Response:
    form = KeyForm.read(read_values(KeyForm.field_names()))
    host_keys.forget(host_id, form.fingerprint.value, actor())
    return answer([key_json(key) for key in hosts.keys(host_id)])


def _as_it_is(host_id: int, status: int = 200) -> Response:
    return answer(host_json(hosts.host(host_id)), status=status)
