"""Signing in with a provider of identities, which is a real process here. What is wrong is told, and nobody is in."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from deployer.config import Provider
from deployer.domain.access import Role
from deployer.domain.identity import Allowed
from deployer.extensions import db
from deployer.models import SignIn, User
from deployer.operations import identities, roles
from deployer.queries import names as known
from tests.conftest import running
from tests.oidc import ANN, CLIENT, SECRET, Running
from tests.web.conftest import Visitor
from tests.world import ADMIN, World

ORG = Allowed(frozenset({"example.org"}), frozenset({"on-call"}))
BOB = {"sub": "7", "preferred_username": "bob", "email": "bob@elsewhere.example", "email_verified": True}
Comes = Callable[..., TestResponse]


@pytest.fixture(scope="module")
def provider() -> Iterator[Running]:
    with Running() as found:
        yield found


@pytest.fixture
def console(sqlite_app: Flask, sqlite_world: World, provider: Running) -> Iterator[Flask]:
    """The console with a provider."""
    settings = sqlite_app.config["SETTINGS"]
    yield from running(replace(settings, provider=Provider(provider.issuer, CLIENT, SECRET, ORG, label="Example")))


@pytest.fixture
def browser(console: Flask) -> Visitor:
    return Visitor(console.test_client())


@pytest.fixture
def comes(browser: Visitor, provider: Running) -> Comes:
    """Somebody presses the button, and is sent back by the provider."""

    def come(claims: dict[str, Any] | None = None, path: str = "", **lies: Any) -> TestResponse:
        provider.comes(claims, **lies)
        return browser.get(_back(browser, path))

    return come


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _back(browser: Visitor, path: str = "") -> str:
    """The address to which the provider sends the browser."""
    answer = browser.get("/sign-in/elsewhere", query_string={"next": path} if path else {})
    assert answer.status_code == 302, answer.text
    with pytest.raises(urllib.error.HTTPError) as sent:
        urllib.request.build_opener(_Stay).open(answer.headers["Location"], timeout=5)
    location = sent.value.headers["Location"]
    sent.value.close()
    return str(location).partition("localhost")[2]


def refused(answer: TestResponse, browser: Visitor, message: str, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert message in answer.text
    assert 'role="alert"' in answer.text
    assert browser.get("/services").status_code == 302, "nobody is in"
    assert db.session.execute(select(func.count()).select_from(SignIn)).scalar_one() == 0


def names() -> list[str]:
    db.session.rollback()
    return list(db.session.execute(select(User.name).order_by(User.name)).scalars())


def test_who_is_allowed_is_added_as_a_viewer_and_gets_to_the_page_asked_for(comes: Comes, browser: Visitor) -> None:
    answer = comes(path="/hosts?q=web")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/hosts?q=web"
    assert browser.get("/hosts").status_code == 200
    user = db.session.execute(select(User).where(User.name == "anna")).scalar_one()
    assert (user.role, user.subject, user.password_hash) == (Role.VIEWER, ANN["sub"], "")


def test_who_comes_again_is_the_same_person_whatever_they_are_called_now(comes: Comes, browser: Visitor) -> None:
    comes()
    browser.read_token("/people/me")
    browser.post("/sign-out")
    answer = comes(ANN | {"preferred_username": "vic", "email": "x@elsewhere.example"})
    assert answer.status_code == 302
    assert names() == ["ann", "anna", "vic"]
    assert "anna" in browser.get("/people/me").text


def test_somebody_without_a_password_is_not_asked_to_change_it(comes: Comes, browser: Visitor) -> None:
    comes()
    assert "/people/me/password" not in browser.get("/people/me").text
    assert browser.get("/people/me/password").status_code == 404


def test_a_group_lets_somebody_in_too(comes: Comes) -> None:
    assert comes(BOB | {"groups": ["x", "on-call"]}).status_code == 302
    assert "bob" in names()


@pytest.mark.parametrize(
    "claims",
    [
        BOB,
        BOB | {"groups": ["x"]},
        BOB | {"groups": "on-call"},
        BOB | {"email": "bob@example.org", "email_verified": False},
        BOB | {"email": "bob@example.org", "email_verified": "true"},
        BOB | {"email": "example.org@elsewhere.example"},
        BOB | {"email": "bob@not-example.org"},
        {"sub": "7", "preferred_username": "bob"},
        {"sub": "7", "preferred_username": "bob", "email": ["bob@example.org"], "email_verified": True},
    ],
)
def test_who_is_not_allowed_is_told_whom_to_ask(comes: Comes, browser: Visitor, claims: dict[str, Any]) -> None:
    refused(comes(claims), browser, "Ask ann to let you in. The provider calls you 7.", 403)
    assert names() == ["ann", "vic"]


def test_a_name_that_somebody_else_has_is_never_taken_over(comes: Comes, browser: Visitor) -> None:
    refused(comes(ANN | {"preferred_username": "ann"}), browser, "Somebody else is called ann here.", 409)


def test_an_administrator_links_a_person_who_was_here_before(comes: Comes, browser: Visitor, provider: Running) -> None:
    identities.link("ann", provider.issuer, "7", "root")
    assert comes(BOB).status_code == 302
    assert "Change your password" in browser.get("/people/me").text, "with which one signs in, too"
    assert names() == ["ann", "vic"]


def test_who_is_disabled_is_not_let_in_by_the_provider(comes: Comes, browser: Visitor) -> None:
    comes()
    roles.let_in(known.user_id("anna"), False, ADMIN)
    db.session.execute(db.delete(SignIn))
    db.session.commit()
    refused(comes(), browser, "You may not sign in here.", 403)


@pytest.mark.parametrize("name", ["", "@example.org", 7, None, "…"])
def test_a_person_without_a_usable_name_is_told_so(comes: Comes, browser: Visitor, name: object) -> None:
    refused(comes(ANN | {"preferred_username": name}), browser, "does not say what to call you", 403)


def test_a_hostile_name_becomes_a_plain_one(comes: Comes) -> None:
    assert comes(ANN | {"preferred_username": "<b>eve</b>'\x1b; --@example.org"}).status_code == 302
    assert "b-eve-b" in names()


LIES = {
    "wrong issuer": ({"changes": {"iss": "https://evil.example"}}, "from another provider", 403),
    "wrong audience": ({"changes": {"aud": "another"}}, "meant for another application", 403),
    "wrong nonce": ({"changes": {"nonce": "replayed"}}, "belongs to another sign-in", 403),
    "no nonce": ({"changes": {"nonce": None}}, "belongs to another sign-in", 403),
    "expired": ({"age": 3600}, "has expired", 403),
    "another key": ({"key": "a stranger's"}, "not signed by the provider", 403),
    "no signature": ({"algorithm": "none"}, "not signed by the provider", 403),
    "refused there": ({"refuses": True}, "did not let you in", 403),
    "no subject": ({"changes": {"sub": ""}}, "", 403),
    "a subject of another kind": ({"changes": {"sub": 7}}, "", 403),
}


@pytest.mark.parametrize(("lies", "message", "status"), LIES.values(), ids=LIES)
def test_a_token_that_cannot_be_trusted_signs_nobody_in(
    comes: Comes, browser: Visitor, lies: dict[str, Any], message: str, status: int
) -> None:
    answer = comes(**lies)
    refused(answer, browser, message, status)
    assert "<b>" not in answer.text.partition('role="alert"')[2].partition("</div>")[0].replace("<strong>", "")
    assert names() == ["ann", "vic"]


def test_a_code_is_good_for_once(console: Flask, browser: Visitor, provider: Running) -> None:
    provider.comes()
    back = _back(browser)
    with browser.client.session_transaction() as session:
        before = dict(session)
    assert browser.get(back).status_code == 302
    thief = Visitor(console.test_client())
    with thief.client.session_transaction() as session:
        session.update(before)  # even who has the cookie of then
    answer = thief.get(back)
    assert answer.status_code == 403
    assert "was used already" in answer.text
    assert thief.get("/services").status_code == 302


def test_a_code_that_another_browser_asked_for_signs_nobody_in(
    console: Flask, browser: Visitor, provider: Running
) -> None:
    provider.comes()
    back = _back(browser)
    other = Visitor(console.test_client())
    refused(other.get(back), other, "was not begun in this browser", 400)


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x&code=y", "?error=access_denied", "?state=x&state=y"])
def test_coming_back_without_having_left_signs_nobody_in(browser: Visitor, query: str) -> None:
    answer = browser.get(f"/sign-in/elsewhere/back{query}")
    assert answer.status_code in (400, 403)
    refused(answer, browser, "", answer.status_code)


def test_what_goes_to_the_provider_has_a_state_a_nonce_and_a_challenge(browser: Visitor, provider: Running) -> None:
    provider.comes()
    query = parse_qs(urlsplit(browser.get("/sign-in/elsewhere").headers["Location"]).query)
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["state"][0]) >= 30
    assert len(query["nonce"][0]) >= 20
    assert SECRET not in str(query)


def test_a_provider_that_calls_itself_otherwise_is_not_trusted(browser: Visitor, provider: Running) -> None:
    provider.comes(discovery="https://evil.example")
    refused(browser.get("/sign-in/elsewhere"), browser, "not set up as this console expects", 502)


def test_a_provider_that_is_away_is_told(sqlite_app: Flask, sqlite_world: World) -> None:
    away = Provider("http://127.0.0.1:9", CLIENT, SECRET, ORG)
    for app in running(replace(sqlite_app.config["SETTINGS"], provider=away)):
        browser = Visitor(app.test_client())
        refused(browser.get("/sign-in/elsewhere"), browser, "does not answer", 502)
        assert browser.sign_in().status_code == 303, "with a password one still gets in"


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", "///evil.example"])
def test_it_leads_to_no_other_site(comes: Comes, path: str) -> None:
    assert comes(path=path).headers["Location"] == "/services"


def test_the_button_is_there_only_when_there_is_a_provider(console: Flask, sqlite_app: Flask) -> None:
    assert "Sign in with Example" in Visitor(console.test_client()).get("/sign-in").text
    without = Visitor(sqlite_app.test_client())
    assert "/sign-in/elsewhere" not in without.get("/sign-in").text
    assert without.get("/sign-in/elsewhere").status_code == 404
    assert without.get("/sign-in/elsewhere/back").status_code == 404
