"""Anything at all in every field of every form, and in every body that is read: a value or a refusal that says what to
do, never a crash, and nothing is changed by what was refused. The same texts every time.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from deployer.domain.access import Role
from deployer.web import forms
from deployer.web.forms.base import RefusedInput, StrictForm
from deployer.web.words import whole
from tests.hostile import HOW, MALFORMED_HOSTS, MALFORMED_VERSIONS
from tests.web.test_wall import path_of
from tests.web.town import PEOPLE, Town, routes
from tests.world import snapshot

HOSTILE = [
    *MALFORMED_HOSTS.values(),
    *MALFORMED_VERSIONS.values(),
    *(text for _, _, text in HOW),
    "\u202egnp.exe",
    "'\"><img src=x onerror=alert(1)>",
    "../../etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/",
    "http://[::1",
    "http://a:b@c/",
    "sh -c 'unclosed",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
    "=cmd|' /C calc'!A0",
    "{{7*7}}",
    "1e309",
    "NaN",
]
WELL_MEANT = [
    "1",
    "2",
    "all",
    "true",
    "success",
    "viewer",
    "read",
    "1.2.0",
    "web-1",
    "orders",
    "local",
    "key",
    "/srv/x",
    "command",
    "none",
]
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.sampled_from(WELL_MEANT),
    st.text(st.characters(exclude_categories=()), max_size=40),
)
QUIETLY = settings(
    derandomize=True,
    deadline=None,
    max_examples=100,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _forms() -> list[type[StrictForm]]:
    for module in pkgutil.iter_modules(forms.__path__, f"{forms.__name__}."):
        importlib.import_module(module.name)
    found, waiting = [], [StrictForm]
    while waiting:
        below = waiting.pop().__subclasses__()
        found += below
        waiting += below
    return sorted(found, key=lambda form: form.__name__)


FORMS = _forms()
FIELDS = sorted({name for form in FORMS for name in form.field_names()} | {"host_id", "artifact", "password", "next"})


def test_there_are_forms_to_look_at() -> None:
    assert len(FORMS) > 15
    assert len(FIELDS) > 50


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_field_reads_any_text_or_says_what_to_do(form: type[StrictForm], sqlite_app: Flask) -> None:
    @QUIETLY
    @given(st.fixed_dictionaries({}, optional=dict.fromkeys(form.field_names(), TEXTS)))
    def check(values: dict[str, str]) -> None:
        try:
            read = form.read(MultiDict(values))
        except RefusedInput as problem:
            assert problem.refusals
            for name, refused in problem.refusals.items():
                assert refused.message, name
                assert refused.hint, name
                assert whole(refused)
        else:
            assert all(field.refused is None for field in read)

    with sqlite_app.test_request_context():
        check()


def _bodies(chance: random.Random) -> list[dict[str, Any]]:
    """A form and a JSON object of a few fields, known and unknown ones."""
    names = chance.sample(FIELDS, chance.randint(0, 6))
    pairs = [(name, chance.choice([*HOSTILE, *WELL_MEANT * 4])) for name in names]
    strange: list[Any] = [None, [], {}, 0, -1, 1.5, 2**80, True, [[1]], {"a": {"b": 1}}, "\ud800"]
    mixed = {name: chance.choice([*strange, text]) for name, text in pairs}
    body = urlencode(pairs, errors="replace")
    return [
        {"data": body, "content_type": "application/x-www-form-urlencoded"},
        {"data": json.dumps(mixed), "content_type": "application/json"},
    ]


def _unsafe(town: Town) -> list[tuple[Any, str]]:
    left_out = {"people.sign_out", "account.end", "account.end_others"}  # after these there is nobody left to ask with
    found = [
        (rule, method)
        for rule in town.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"})
        if rule.endpoint not in left_out
    ]
    assert len(found) > 60
    assert {rule.endpoint for rule, method, _ in routes(town.app) if method == "POST"} - left_out <= {
        rule.endpoint for rule, _ in found
    }
    return found


@pytest.mark.parametrize("seed", range(4))
def test_no_body_makes_any_route_crash_and_what_is_refused_changes_nothing(town: Town, seed: int) -> None:
    town.as_it_was()
    chance = random.Random(seed)
    administrator = next(one for one in PEOPLE if one.role is Role.ADMINISTRATOR).name
    ann = town.visitors[administrator]
    wrong = []
    before = snapshot()
    for rule, method in _unsafe(town):
        path = path_of(town, rule)
        for body in _bodies(chance):
            if path.startswith("/api/"):
                headers = {"Authorization": f"Bearer {town.tokens[administrator]}"}
                answer = town.app.test_client().open(path, method=method, headers=headers, **body)
            else:
                answer = ann.client.open(path, method=method, headers={"X-CSRFToken": ann.token}, **body)
            changed = snapshot() != before
            if answer.status_code >= 500 or (changed and answer.status_code >= 400):
                wrong.append((method, path, body, answer.status_code, changed))
            if changed:
                town.as_it_was()
                before = snapshot()
    assert wrong == []
