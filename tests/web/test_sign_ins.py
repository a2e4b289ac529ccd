"""A sign-in belongs to the server: what has ended there is worth nothing, whoever has a copy of the cookie."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from deployer.domain.access import Role
from deployer.extensions import db
from deployer.models import AuditEntry, SignIn, User
from deployer.models.columns import utc_now
from deployer.operations import passwords, people, roles, sign_ins
from deployer.queries import names
from tests.web.conftest import OpenPage, Visitor
from tests.world import ADMIN, PASSWORD, World

NEW = "an altogether different one"
SignsIn = Callable[..., Visitor]


def cookie(client: FlaskClient) -> str:
    """What the browser has to show."""
    found = client.get_cookie("deployer")
    assert found is not None
    return found.value


def is_in(client: FlaskClient) -> bool:
    """Whether the first page opens."""
    return client.get("/services").status_code == 200


def rows() -> list[SignIn]:
    db.session.rollback()
    return list(db.session.execute(select(SignIn).order_by(SignIn.id)).scalars())


def set_all(**values: Any) -> None:
    """What the clock would have done."""
    db.session.execute(update(SignIn).values(**values))
    db.session.commit()


@pytest.fixture
def another(app: Flask) -> SignsIn:
    """Somebody signs in with another browser."""

    def sign_in(name: str = "ann", **headers: str) -> Visitor:
        found = Visitor(app.test_client())
        for header, value in headers.items():
            found.client.environ_base[f"HTTP_{header.upper()}"] = value
        assert found.sign_in(name).status_code == 303
        return found

    return sign_in


def test_a_copied_cookie_is_worth_nothing_after_signing_out(visitor: Visitor, app: Flask) -> None:
    copied = cookie(visitor.client)
    thief = app.test_client()
    thief.set_cookie("deployer", copied)
    assert is_in(thief)
    assert visitor.post("/sign-out").status_code == 303
    thief.set_cookie("deployer", copied)
    assert not is_in(thief)
    assert rows() == []


def test_the_secret_in_the_cookie_is_kept_only_as_a_digest(visitor: Visitor, app: Flask) -> None:
    with visitor.client.session_transaction() as session:
        secret = session["_user_id"]
    (row,) = rows()
    assert row.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert len(secret) >= 43, "256 bits"


def test_every_sign_in_has_a_secret_and_a_session_of_its_own(app: Flask, world: World, another: SignsIn) -> None:
    first, second = another(), another()
    assert len({row.sha256 for row in rows()}) == 2
    first.post("/sign-out")
    assert not is_in(first.client)
    assert is_in(second.client)


def test_a_change_of_the_password_ends_all_other_sign_ins(visitor: Visitor, another: SignsIn) -> None:
    other = another()
    visitor.read_token("/people/me/password")
    answer = visitor.post("/people/me/password", {"current": PASSWORD, "password": NEW, "again": NEW})
    assert answer.status_code == 200
    assert "Your password is changed." in answer.text
    assert is_in(visitor.client)
    assert not is_in(other.client)
    assert sign_ins.check_password("ann", NEW)
    assert sign_ins.check_password("ann", PASSWORD) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"current": "wrong", "password": NEW, "again": NEW}, "This is not your password."),
        ({"current": PASSWORD, "password": NEW, "again": NEW + "x"}, "The two new passwords are different."),
        ({"current": PASSWORD, "password": "short", "again": "short"}, "This password cannot be used."),
        ({"current": PASSWORD, "password": "Password1234", "again": "Password1234"}, "guessed first"),
        ({"current": PASSWORD, "password": "\ud800" * 12, "again": "\ud800" * 12}, "password"),
        ({"current": PASSWORD, "password": "", "again": ""}, "This password cannot be used."),
        ({}, "This is not your password."),
    ],
)
def test_a_password_that_cannot_be_changed_is_refused_and_nobody_is_signed_out(
    visitor: Visitor, another: SignsIn, fields: dict[str, str], message: str
) -> None:
    other = another()
    answer = visitor.client.post("/people/me/password", json=fields, headers={"X-CSRFToken": visitor.token})
    assert answer.status_code == 422
    assert message in answer.text
    assert NEW not in answer.text
    assert is_in(other.client)
    assert sign_ins.check_password("ann", PASSWORD)


def test_one_sees_where_one_is_signed_in_and_ends_it(visitor: Visitor, another: SignsIn) -> None:
    phone = another(user_agent="Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0")
    page = visitor.get("/people/me").text
    assert "Firefox, Android" in page
    assert "127.0.0.1" in page
    (mine, its) = rows()
    assert visitor.post(f"/people/me/sign-ins/{its.id}/end").status_code == 303
    assert not is_in(phone.client)
    assert "Firefox, Android" not in visitor.get("/people/me").text
    assert [row.id for row in rows()] == [mine.id]


def test_all_others_are_ended_at_once(visitor: Visitor, another: SignsIn) -> None:
    others = [another(), another()]
    assert visitor.post("/people/me/sign-ins/end-others").status_code == 303
    assert is_in(visitor.client)
    assert not any(is_in(other.client) for other in others)


def test_nobody_ends_anothers_sign_in(visitor: Visitor, another: SignsIn) -> None:
    viewer = another("vic")
    (mine, _) = rows()
    assert viewer.post(f"/people/me/sign-ins/{mine.id}/end").status_code == 404
    assert is_in(visitor.client)


def test_who_did_nothing_for_half_a_day_has_to_sign_in_again(visitor: Visitor) -> None:
    set_all(seen=utc_now() - timedelta(hours=11, minutes=59))
    assert is_in(visitor.client), "and now it is noted"
    assert is_in(visitor.client)
    set_all(seen=utc_now() - timedelta(hours=12, minutes=1))
    assert not is_in(visitor.client)


def test_no_sign_in_lasts_for_more_than_a_week(visitor: Visitor) -> None:
    (row,) = rows()
    assert row.expires - row.created == timedelta(days=7)
    set_all(expires=utc_now() - timedelta(seconds=1))
    assert not is_in(visitor.client)


def test_what_is_over_is_removed_with_the_next_sign_in(visitor: Visitor, another: SignsIn) -> None:
    set_all(expires=utc_now() - timedelta(seconds=1))
    another()
    assert len(rows()) == 1


def test_it_is_noted_at_most_once_a_minute_and_never_by_a_poll_when_somebody_was_seen(
    visitor: Visitor, world: World
) -> None:
    standing = OpenPage(visitor, f"/services/{world.service}", page=1)
    long_ago = utc_now() - timedelta(minutes=5)
    set_all(seen=long_ago)
    standing.poll()
    assert rows()[0].seen == long_ago
    visitor.get("/services")
    seen = rows()[0].seen
    assert seen > long_ago
    visitor.get("/services")
    assert rows()[0].seen == seen


def test_who_is_disabled_is_out_at_once_and_has_to_sign_in_when_enabled(visitor: Visitor, another: SignsIn) -> None:
    viewer = another("vic")
    roles.let_in(names.user_id("vic"), False, ADMIN)
    assert not is_in(viewer.client)
    assert viewer.sign_in("vic").status_code == 422
    roles.let_in(names.user_id("vic"), True, ADMIN)
    assert not is_in(viewer.client)
    assert viewer.sign_in("vic").status_code == 303


def test_an_unknown_name_costs_a_hash_as_a_known_one_does(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.add("elsewhere", Role.VIEWER, "root")
    roles.let_in(names.user_id("vic"), False, ADMIN)
    checked: list[str] = []
    real = passwords._hasher.verify

    class Counting:
        def verify(self, known: str, password: str) -> bool:
            checked.append(known)
            return real(known, password)

        def __getattr__(self, name: str) -> Any:
            return getattr(original, name)

    original = passwords._hasher
    monkeypatch.setattr(passwords, "_hasher", Counting())
    for name in ("ann", "nobody", "vic", "elsewhere", ""):
        assert sign_ins.check_password(name, "wrong") is None
    assert len(checked) == 5
    assert len({known.rpartition("$")[0].rpartition("$")[0] for known in checked}) == 1, "with the same effort"


def test_a_hash_of_less_effort_is_made_anew_when_somebody_signs_in(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept() -> str:
        db.session.rollback()
        return db.session.execute(select(User.password_hash).where(User.name == "ann")).scalar_one()

    weak = kept()
    assert sign_ins.check_password("ann", PASSWORD)
    assert kept() == weak
    monkeypatch.setattr(passwords, "_hasher", type(passwords._hasher)(time_cost=2, memory_cost=16, parallelism=1))
    assert sign_ins.check_password("ann", "wrong") is None
    assert kept() == weak
    assert sign_ins.check_password("ann", PASSWORD)
    assert kept() != weak
    assert "m=16,t=2" in kept()
    assert sign_ins.check_password("ann", PASSWORD)


def test_the_cookie_says_what_a_browser_may_do_with_it(app: Flask, world: World) -> None:
    answer = Visitor(app.test_client()).sign_in()
    (header,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("deployer=")]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Path=/" in header


def test_signing_in_and_out_and_wrong_passwords_are_remembered_with_the_address(app: Flask, world: World) -> None:
    found = Visitor(app.test_client())
    for name in ("ann", "ann", "nobody", "vic"):
        found.read_token("/sign-in")
        assert found.post("/sign-in", {"name": name, "password": "wrong"}).status_code == 422
    found.sign_in()
    found.post("/sign-out")
    db.session.rollback()
    query = select(AuditEntry.actor, AuditEntry.verb, AuditEntry.refused, AuditEntry.facts).where(
        AuditEntry.verb.startswith("sign_")
    )
    told = db.session.execute(query.order_by(AuditEntry.id)).all()
    assert [(row.actor, row.verb, row.refused) for row in told] == [
        ("ann", "sign_in_refused", True),  # once a minute
        ("vic", "sign_in_refused", True),
        ("ann", "sign_in", False),
        ("ann", "sign_out", False),
    ]
    assert {row.facts["address"] for row in told} == {"127.0.0.1"}


def test_pages_are_shown_while_nothing_can_be_written(sqlite_app: Flask, sqlite_world: World) -> None:
    found = Visitor(sqlite_app.test_client())
    found.sign_in()
    set_all(seen=utc_now() - timedelta(minutes=5))
    with mock.patch.object(sign_ins, "transaction", _locked):
        assert is_in(found.client)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    raise OperationalError("UPDATE", {}, Exception("database is locked"))
    yield
