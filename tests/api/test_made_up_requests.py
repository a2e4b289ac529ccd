"""What the document of the API promises holds for whatever a program makes up and sends (schemathesis)."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from deployer.domain.hosts import HostChoice
from deployer.domain.ids import MAX_ID
from deployer.domain.plan import StartRollout
from deployer.domain.reach import CredentialKind, fingerprint
from deployer.domain.status import Action
from deployer.domain.strategy import Strategy, WaveSize
from deployer.operations import credentials, fleet, host_keys, rollouts
from deployer.operations.fleet import NewHost
from tests.restorable import keep, restore
from tests.world import ADMIN, World

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvb2Jhcg=="
EXAMPLES = 5  # of what the document allows, and of what it does not, for each call
MORE = 10  # of what can succeed
IDS = 10  # of a small world: most of them are there
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.ignored_auth,
]


FORM = ("Form", "WithFile")  # how the names of things end that are sent
# Values with which calls can succeed in the small world, by the names of fields.
LIKELY: dict[str, list[Any]] = {
    "service_id": [1, 2],
    "version_id": [1, 2],
    "host_id": [3, 6],
    "instance_id": [3, 4],
    "credential_id": [1],
    "user_id": [2],
    "token_id": [1, 2],
    "rollout_id": [1],
    "name": ["new", "a-file"],
    "kind": ["file"],
    "path": ["~/.ssh/id"],
    "language": ["Python"],
    "description": ["", "one\ntwo"],
    "build_orig": [""],
    "restart": ["systemctl restart it"],
    "health": ["http", "none"],
    "hostname": ["new-1", "new-2"],
    "address": ["192.0.2.1", "2001:db8::1"],
    "directory": ["/srv/new"],
    "labels": ["", "eu,blue"],
    "fingerprint": [fingerprint(KEY)],
    "content": ["hostname,directory\nnew-3,/srv/new\nweb-1,/srv/other\n", "[web]\nnew-4\n"],
    "format": ["csv", "ansible-ini"],
    "version": ["2.0.0", "2.0.1"],
    "artifact_url": ["http://192.0.2.1/a.tgz"],
    "sha256": ["0" * 64],
    "dest_version": [1, 3],
    "host": ["all", "3", "4"],
    "wave_size": ["", "1", "50%"],
    "state": ["ok", "problem", "never"],
}
# Fields that are wrong beside those, or need a token that only a plan has.
UNLIKELY = {"plan", "jump", "credential", "ssh_user", "ssh_port", "key", "passphrase", "password", "deploy", "timeout"}
UNLIKELY |= {"keep", "health_timeout", "health_path", "health_command", "probe", "probe_path", "probe_command"}
UNLIKELY |= {"build_url", "compare_url", "artifact", "reach"}
# What no single request can do here: it takes the token of a plan, or a rollout that waits, has ended or has failed.
OUT_OF_REACH = {
    "POST /hosts/import",
    "POST /services/{service_id}/instances/{instance_id}/seen",
    "POST /rollouts/{rollout_id}/resume",
    "POST /rollouts/{rollout_id}/retry",
    "POST /rollouts/{rollout_id}/undo",
    "GET /rollouts/{rollout_id}/retry",
    "GET /rollouts/{rollout_id}/undo",
}


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with ids that are likely to be there, and with answers that have nothing but what it says."""
    sent = [one for methods in document["paths"].values() for call in methods.values() for one in call["parameters"]]
    for name, thing in document["components"]["schemas"].items():
        if name.endswith(FORM):
            sent += thing["properties"].values()
        thing["additionalProperties"] = False
    for one in sent:
        schema = one.get("schema", one)
        if schema.get("maximum") == MAX_ID:
            schema["maximum"] = IDS
    return document


def likely(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with values that can succeed."""
    for call in (call for methods in document["paths"].values() for call in methods.values()):
        for one in call["parameters"]:
            if one["name"] in LIKELY:
                one["schema"] = {"enum": LIKELY[one["name"]]}
    for title, thing in document["components"]["schemas"].items():
        if title.endswith(FORM):
            fields = thing["properties"]
            for name in UNLIKELY & set(fields) - set(thing["required"]):
                del fields[name]
            wanted = LIKELY | ({"kind": ["release"], "name": ["new", "other"]} if title == "ServiceForm" else {})
            thing["required"] = sorted({*thing["required"], *(set(wanted) & set(fields))})
            for name in set(wanted) & set(fields):
                fields[name] = {"enum": wanted[name]}
    return document


class Town:
    """The application, and its database as it was before."""

    def __init__(self, app: Flask, world: World, file: Path) -> None:
        self.app, self.world, self.file = app, world, file
        one = StartRollout(
            world.service,
            world.versions["1.1.0"],
            Action.UPGRADE,
            world.versions["1.2.0"],
            HostChoice(False, (world.hosts["web-1"], world.hosts["web-2"])),
            strategy=Strategy(WaveSize(hosts=1)),
        )
        rollouts.start(one, ADMIN)
        spare = fleet.add_host(NewHost("spare", "127.0.0.6", "/srv/spare"), ADMIN)
        for host_id in (world.hosts["web-3"], spare):
            host_keys.offer(host_id, KEY)
        credentials.add(credentials.NewCredential("a-file", CredentialKind.FILE, "/id"), ADMIN)
        keep(file)

    def as_it_was(self) -> None:
        """Undo what was done."""
        restore(self.file)

    def wsgi(self, environ: Any, start: Callable[..., Any]) -> Any:
        """The application to whom each request is the first."""
        return contextvars.Context().run(self.app, environ, start)


@pytest.fixture(scope="module")
def town(own_world: tuple[Flask, World, Path]) -> Town:
    return Town(*own_world)


def sent(town: Town, document: dict[str, Any], mode: GenerationMode, examples: int = EXAMPLES) -> dict[str, set[int]]:
    """Send what schemathesis makes up, and look whether each answer is as the document says; which statuses each call
    came to."""
    schema = schemathesis.openapi.from_dict(document)
    schema.app = town.wsgi
    statuses: dict[str, set[int]] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        town.as_it_was()

        @given(case=operation.as_strategy(mode))
        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def send(case: schemathesis.Case) -> None:
            answer = case.call_and_validate(headers=town.world.bearer(), checks=CHECKS)
            statuses.setdefault(case.operation.label, set()).add(answer.status_code)

        send()
    return statuses


@pytest.fixture
def document(town: Town) -> dict[str, Any]:
    return narrowed(town.app.test_client().get("/api/openapi.json").json)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_each_call_does_what_the_document_says(town: Town, document: dict[str, Any], mode: GenerationMode) -> None:
    assert len(sent(town, document, mode)) > 50


def test_calls_that_succeed_answer_what_the_document_says(town: Town, document: dict[str, Any]) -> None:
    found = sent(town, likely(document), GenerationMode.POSITIVE, MORE)
    succeeded = {call for call, statuses in found.items() if any(200 <= status < 300 for status in statuses)}
    assert sorted(set(found) - succeeded) == sorted(OUT_OF_REACH)
