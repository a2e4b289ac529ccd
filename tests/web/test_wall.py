"""The browser's side of the wall, walked over every route there is: tokens of forms, headers, cookies, limits."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from deployer.app import MAX_BODY, POLICY
from deployer.domain.access import Role
from deployer.web.auth import safe_next
from deployer.web.errors import FRESH_TOKEN
from tests.web.conftest import Visitor
from tests.web.town import PEOPLE, Town, routes, things
from tests.world import World, snapshot

ADMINISTRATOR = next(one for one in PEOPLE if one.role is Role.ADMINISTRATOR)
HTMX = {"HX-Request": "true"}


def unsafe(town: Town) -> list[Any]:
    """Every page's route that changes something."""
    found = [rule for rule, method, _ in routes(town.app) if method == "POST" and not rule.rule.startswith("/api/")]
    assert len(found) > 30
    return found


def path_of(town: Town, rule: Any) -> str:
    args = dict.fromkeys(rule.arguments, 1) | {k: v for k, v in town.args["own"].items() if k in rule.arguments}
    with town.app.test_request_context():
        from flask import url_for

        return url_for(rule.endpoint, _method="POST", **{**args, **(rule.defaults or {})})


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "htmx"])
@pytest.mark.parametrize("kind", ["none", "empty", "garbage", "of another session", "in the address", "as json"])
def test_no_form_does_anything_without_the_token_of_its_session(town: Town, kind: str, htmx: bool) -> None:
    town.as_it_was()
    before = snapshot()
    ann = town.visitors[ADMINISTRATOR.name]
    stranger = town.visitors[""]
    token = {"empty": "", "garbage": "é.garbage", "of another session": stranger.token}.get(kind)
    wrong = []
    for rule in unsafe(town):
        sent: dict[str, Any] = {"headers": HTMX} if htmx else {}
        if kind == "as json":
            sent["json"] = {"csrf_token": ann.token}
        elif kind == "in the address":
            sent |= {"query_string": {"csrf_token": ann.token}, "data": {}}
        else:
            sent["data"] = {} if token is None else {"csrf_token": token}
        answer = ann.client.post(path_of(town, rule), **sent)
        helps = "The form has expired; nothing was done." in answer.text
        if answer.status_code != 400 or not helps or bool(answer.headers.get(FRESH_TOKEN)) is not htmx:
            wrong.append((rule.rule, answer.status_code))
    assert wrong == []
    assert snapshot() == before


def test_with_the_fresh_token_of_the_answer_the_same_form_does_what_it_says(town: Town) -> None:
    town.as_it_was()
    ann = town.visitors[ADMINISTRATOR.name]
    fields = {"version": "7.7.7", "status": "building"}
    path = f"/services/{town.args['own']['service_id']}/versions"
    refused = ann.client.post(path, data={**fields, "csrf_token": "stale"}, headers=HTMX)
    again = ann.client.post(path, data={**fields, "csrf_token": refused.headers[FRESH_TOKEN]}, headers=HTMX)
    assert again.status_code == 303
    town.as_it_was()


def test_another_site_gets_no_token_and_no_leave_to_ask_for_one(town: Town) -> None:
    ann = town.visitors[ADMINISTRATOR.name]
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Headers": "hx-request"}
    answer = ann.client.options("/services", headers=asked)
    assert not [name for name in answer.headers.keys() if name.lower().startswith("access-control")]  # noqa: SIM118
    assert FRESH_TOKEN not in answer.headers


def guarded(answer: TestResponse) -> bool:
    headers = answer.headers
    private = answer.mimetype not in ("text/html", "application/json", "text/csv", "application/jsonl")
    return (
        headers.get("Content-Security-Policy") == POLICY
        and headers.get("X-Content-Type-Options") == "nosniff"
        and headers.get("X-Frame-Options") == "DENY"
        and headers.get("Referrer-Policy") == "same-origin"
        and headers.get("Cross-Origin-Opener-Policy") == "same-origin"
        and headers.get("Cross-Origin-Resource-Policy") == "same-origin"
        and (private or headers.get("Cache-Control") == "no-store")
    )


def test_every_answer_is_guarded_and_no_page_is_kept_by_a_cache(town: Town) -> None:
    assert {
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    } == set(POLICY.split("; "))
    town.as_it_was()
    wrong = []
    for rule, method, _ in routes(town.app):
        if method == "GET":
            for somebody in (ADMINISTRATOR, None):
                answer = town.call(somebody, rule, method, things(rule)[0])
                if not guarded(answer):
                    wrong.append((rule.rule, answer.status_code, dict(answer.headers)))
                answer.close()
    assert wrong == []


def test_every_error_is_guarded_too(town: Town) -> None:
    ann = town.visitors[ADMINISTRATOR.name]
    answers = [
        ann.get("/nothing"),
        ann.get("/static/nothing.js"),
        ann.get("/services?page=x"),
        ann.client.open("/services", method="PATCH"),
        ann.client.post("/services", data={"name": "x"}),
        ann.client.post("/services", data={"name": "x" * (MAX_BODY + 1)}),
        ann.client.post("/api/v1/services", data="x" * (MAX_BODY + 1)),
        ann.client.open("/services", method="TRACE"),
    ]
    with mock.patch.dict(town.app.view_functions, {"services.index": lambda: 1 // 0}):
        answers.append(ann.get("/services"))
    assert [answer.status_code for answer in answers] == [404, 404, 422, 405, 400, 413, 401, 405, 500]
    assert [answer for answer in answers if not guarded(answer)] == []
    assert "Traceback" not in answers[-1].text


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_no_route_reads_a_body_without_an_end(town: Town, declared: bool) -> None:
    """Uploads may be larger, and only for who may upload."""
    town.as_it_was()
    before = snapshot()
    wrong = []
    for rule, method, _ in routes(town.app):
        if method != "POST" or rule.endpoint == "people.sign_out":
            continue
        path = path_of(town, rule)
        body = b"csrf_token=x&name=" + b"x" * (MAX_BODY + 1)
        sent: dict[str, Any] = {"content_type": "application/x-www-form-urlencoded"}
        if path.startswith("/api/"):
            sent["headers"] = {"Authorization": f"Bearer {town.tokens[ADMINISTRATOR.name]}"}
        if declared:
            sent["data"] = body
        else:
            import io

            sent |= {"input_stream": io.BytesIO(body), "environ_overrides": {"wsgi.input_terminated": True}}
        answer = town.visitors[ADMINISTRATOR.name].client.post(path, **sent)
        # A call that takes no fields may refuse the body without looking how long it is.
        if answer.status_code not in (413, 400, 417):
            wrong.append((rule.rule, answer.status_code))
    assert wrong == []
    assert snapshot() == before


HOSTILE_TARGETS = (
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\x00//evil.example",
    " //evil.example",
    "http://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/ok\\..\\evil",
    "/%0d%0aSet-Cookie:x=1\r\nSet-Cookie: x=1",
    "",
)


@pytest.mark.parametrize("target", HOSTILE_TARGETS)
def test_after_signing_in_one_stays_here(sqlite_app: Flask, sqlite_world: World, target: str) -> None:
    ann = Visitor(sqlite_app.test_client())
    ann.read_token("/sign-in")
    data = {"name": "ann", "password": "correct horse battery"}
    answer = ann.post("/sign-in", data, query_string={"next": target})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/services")
    assert ann.get("/sign-in", query_string={"next": target}).headers["Location"] == "/services"
    with sqlite_app.test_request_context():
        assert safe_next("/rollouts?page=2") == "/rollouts?page=2"


def test_the_name_in_the_host_header_is_never_where_one_is_sent(town: Town) -> None:
    ann = town.visitors[ADMINISTRATOR.name]
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}):
        for path in ("/", "/sign-in", "/services", "/people/me"):
            for answer in (ann.get(path, headers=headers), town.visitors[""].get(path, headers=headers)):
                assert "evil.example" not in answer.text
                assert "evil.example" not in answer.headers.get("Location", "")


def test_a_token_in_the_address_or_a_form_is_no_identity(town: Town) -> None:
    town.as_it_was()
    token = town.tokens[ADMINISTRATOR.name]
    client = town.app.test_client()
    for name in ("token", "access_token", "bearer", "Authorization", "api_key"):
        assert client.get("/api/v1/services", query_string={name: token}).status_code == 401
        assert client.post("/api/v1/services", data={name: token}).status_code == 401
    for scheme in ("Basic", "Token", "bearer:", ""):
        headers = {"Authorization": f"{scheme} {token}".strip()}
        assert client.get("/api/v1/services", headers=headers).status_code == 401
    assert client.get("/services", headers={"Authorization": f"Bearer {token}"}).status_code == 302


def test_a_cookie_that_was_tampered_with_or_made_by_hand_is_nobodys(town: Town) -> None:
    from flask.sessions import SecureCookieSessionInterface

    town.as_it_was()
    ann = town.visitors[ADMINISTRATOR.name]
    cookie = ann.client.get_cookie("deployer")
    assert cookie is not None
    value = cookie.value
    body, _, signature = value.rpartition(".")
    town.app.secret_key, key = "another key of the same length....", town.app.secret_key
    serializer = SecureCookieSessionInterface().get_signing_serializer(town.app)
    town.app.secret_key = key
    assert serializer
    own = SecureCookieSessionInterface().get_signing_serializer(town.app)
    assert own
    forged = {
        "another signature": f"{body}.{signature[::-1]}",
        "no signature": body,
        "another key": serializer.dumps({"_user_id": own.loads(value)["_user_id"], "_fresh": True}),
        "a guessed person": own.dumps({"_user_id": "1", "_fresh": True}),  # whoever has stolen the key
        "a name": own.dumps({"_user_id": ADMINISTRATOR.name, "_fresh": True}),
        "a number": own.dumps({"_user_id": 1, "_fresh": True}),
        "a list": own.dumps({"_user_id": ["1"], "_fresh": True}),
        "garbage": "garbage",
        "not ASCII": "é.é.é",
    }
    for what, made in forged.items():
        client = town.app.test_client()
        client.set_cookie("deployer", made)
        assert client.get("/services").status_code == 302, what
    client = town.app.test_client()
    client.set_cookie("deployer", value)
    assert client.get("/services").status_code == 200, "the real one still counts"


def test_secrets_are_never_compared_by_a_plain_comparison() -> None:
    """They are looked up by their digest, or compared by what takes the same time for all."""
    from pathlib import Path

    import deployer

    plain = re.compile(
        r"(?i)\b\w*(secret|password|token|signature|csrf)\w*\s*(?:==|!=)|(?:==|!=)\s*\w*(?:secret|password)\w*\b"
    )
    found = []
    for file in Path(deployer.__file__).parent.rglob("*.py"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if plain.search(line.partition("#")[0]):
                found.append(f"{file.name}:{number}: {line.strip()}")
    assert [line for line in found if not any(known in line for known in KNOWN_COMPARISONS)] == []


KNOWN_COMPARISONS = (
    "Rollout.plan_token",  # says which plan was shown, and opens nothing
    "User.password_hash == user.password_hash",  # whether it is still the one that was verified
    "Token.",  # a column of a query: ids, digests, owners
    "token_id",
    "password.value != self.again.value",  # both typed by the same person
)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example.org", "exa mple", "[::1", "a:b:c", "<script>"])
@pytest.mark.parametrize("path", ["/sign-in", "/services", "/no/such/page", "/api/v1/services"])
def test_a_host_that_cannot_be_one_is_malformed_and_no_crash(
    sqlite_app: Flask, caplog: pytest.LogCaptureFixture, path: str, host: str
) -> None:
    answer = sqlite_app.test_client().get(path, headers={"Host": host})
    assert answer.status_code < 500
    assert "crashed" not in caplog.text
    assert host not in answer.text
    if host == "a..b":
        assert answer.status_code == 400
