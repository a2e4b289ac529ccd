"""One's own tokens: made on a page, shown once, revoked at once; and the people there are."""

from __future__ import annotations

import re

import pytest

from deployer.domain.access import Role
from deployer.extensions import db
from deployer.operations import people as operations
from deployer.operations import tokens
from deployer.queries import names, people
from tests.web.conftest import Visitor
from tests.world import PASSWORD, World


def test_a_token_is_shown_once_works_and_is_revoked(visitor: Visitor, world: World) -> None:
    page = visitor.post("/people/me/tokens", {"name": "ci", "scope": "builds"})
    found = re.search(r"<code>(dpl_[0-9a-f]{64})</code>", page.text)
    assert found
    assert page.headers["Cache-Control"] == "no-store"
    secret = found[1]
    assert secret not in visitor.get("/people/me").text
    calls = visitor.client.application.test_client()
    assert calls.get("/api/v1/services", headers=world.bearer(secret)).status_code == 200
    assert calls.post("/api/v1/hosts", data={}, headers=world.bearer(secret)).status_code == 403
    (token,) = [one for one in people.tokens_of("ann") if one.name == "ci"]
    assert visitor.post(f"/people/me/tokens/{token.id}/revoke").status_code == 303
    assert calls.get("/api/v1/services", headers=world.bearer(secret)).status_code == 401
    assert "Revoked" in visitor.get("/people/me").text


def test_a_token_says_for_what_until_when_and_when_it_was_used(visitor: Visitor, world: World) -> None:
    made = visitor.post(
        "/people/me/tokens", {"name": "ci", "scope": "deploy", "days": "never", "services": "orders, other"}
    )
    secret = re.findall(r"<code>(dpl_[0-9a-f]{64})</code>", made.text)[0]
    row = visitor.get("/people/me").text.partition(">ci<")[2].partition("</tr>")[0]
    assert "orders, other" in row
    assert "for ever" in row
    assert "never" in row
    visitor.client.application.test_client().get("/api/v1/services", headers=world.bearer(secret))
    row = visitor.get("/people/me").text.partition(">ci<")[2].partition("</tr>")[0]
    assert "just now, from 127.0.0.1" in re.sub(r"<[^>]*>", "", row)


def test_nobody_revokes_anothers_token(visitor: Visitor, world: World) -> None:
    (token, *_) = people.tokens_of("ann")
    viewer = Visitor(visitor.client.application.test_client())
    viewer.sign_in("vic")
    assert viewer.post(f"/people/me/tokens/{token.id}/revoke").status_code == 404
    assert tokens.by_token(world.token) is not None


@pytest.mark.parametrize(
    "data",
    [
        {"name": "", "scope": "read"},
        {"name": "ci", "scope": "all"},
        {"name": "ci"},
        {"name": "ci", "scope": "read", "days": "91"},
        {"name": "ci", "scope": "read", "services": "nowhere"},
        {"name": "ci", "scope": "read", "services": "orders <b>"},
        {"name": "ci", "scope": "read", "services": ",".join(f"s{n}" for n in range(101))},
    ],
)
def test_a_token_that_cannot_be_made_is_refused(visitor: Visitor, world: World, data: dict[str, str]) -> None:
    before = people.tokens_of("ann")
    assert visitor.post("/people/me/tokens", data).status_code == 422
    assert people.tokens_of("ann") == before


def test_making_a_token_does_not_tell_which_services_there_are(visitor: Visitor, world: World) -> None:
    operations.create_user("bob", PASSWORD, Role.NONE, "root")
    visitor.post(f"/people/{names.user_id('bob')}/services", {"service_id": world.service, "role": "viewer"})
    bob = Visitor(visitor.client.application.test_client())
    bob.sign_in("bob")

    def answer(service: str) -> tuple[int, str]:
        page = bob.post("/people/me/tokens", {"name": "ci", "scope": "read", "services": f"orders,{service}"})
        # The token of the form and the times are those of the second.
        return page.status_code, re.sub(r'"[\w.:+ -]{18,}"', '""', page.text.replace(service, "SERVICE"))

    assert answer("other") == answer("nowhere")
    assert bob.post("/people/me/tokens", {"name": "ci", "scope": "read", "services": "orders"}).status_code == 200
    db.session.rollback()  # (what was looked up above began a transaction, which sees no later token)
    assert [one.services for one in people.tokens_of("bob")] == [("orders",)]


def test_the_people_are_listed_with_their_roles(visitor: Visitor, world: World) -> None:
    page = visitor.get("/people").text
    assert re.findall(r'<th scope="row">(\w+)', page) == ["ann", "vic"]
    assert "Administrator" in page
    assert "Viewer" in page
