"""What a token is good for, for how long, and for which services."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from deployer.domain.access import Scope
from deployer.extensions import db
from deployer.models import Token
from deployer.models.columns import utc_now
from deployer.operations import roles, tokens
from deployer.queries import names
from tests.world import ADMIN, World, snapshot

API = "/api/v1"


def ask(client: FlaskClient, secret: str, path: str = "/services", **kwargs: Any) -> Any:
    return client.get(API + path, headers={"Authorization": f"Bearer {secret}"}, **kwargs)


def change(secret: str, **values: Any) -> None:
    """What the clock, or somebody else, would have done."""
    db.session.execute(update(Token).where(Token.sha256 == tokens.digest(secret)).values(**values))
    db.session.commit()


def row(secret: str) -> Token:
    db.session.rollback()
    return db.session.execute(select(Token).where(Token.sha256 == tokens.digest(secret))).scalar_one()


def test_a_token_that_expired_is_told_so(client: FlaskClient, world: World) -> None:
    secret = tokens.create_token("ann", "old", Scope.READ, "root", days=1)
    assert ask(client, secret).status_code == 200
    change(secret, expires=utc_now() - timedelta(seconds=1))
    answer = ask(client, secret)
    assert answer.status_code == 401
    assert "expired on 20" in answer.json["msg"]
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_that_was_revoked_is_told_so(client: FlaskClient, world: World) -> None:
    tokens.revoke_token("ann", row(world.token).id, "root")
    answer = ask(client, world.token)
    assert answer.status_code == 401
    assert answer.json["msg"] == "This token was revoked."


@pytest.mark.parametrize("secret", ["dpl_" + "0" * 64, "x", "\x7f", "x" * 10_000])
def test_an_unknown_token_is_told_no_more(client: FlaskClient, world: World, secret: str) -> None:
    answer = ask(client, secret)
    assert answer.status_code == 401
    assert answer.json["msg"] == "This token is not known here."


def test_the_tokens_of_who_is_shut_out_do_not_work_until_they_are_let_in(client: FlaskClient, world: World) -> None:
    secret = tokens.create_token("vic", "ci", Scope.READ, "root")
    roles.let_in(names.user_id("vic"), False, ADMIN)
    answer = ask(client, secret)
    assert answer.status_code == 401
    assert "owner" in answer.json["msg"]
    roles.let_in(names.user_id("vic"), True, ADMIN)
    assert ask(client, secret).status_code == 200


def test_a_token_expires_after_ninety_days_unless_somebody_says_otherwise(client: FlaskClient, world: World) -> None:
    usual = row(tokens.create_token("ann", "a", Scope.READ, "root"))
    assert usual.expires is not None
    assert usual.expires - usual.created == timedelta(days=90)
    assert row(tokens.create_token("ann", "b", Scope.READ, "root", days=None)).expires is None


def test_when_and_from_where_a_token_was_used_is_noted_at_most_once_a_minute(client: FlaskClient, world: World) -> None:
    assert row(world.token).used is None
    ask(client, world.token, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    first = row(world.token)
    assert (first.used_from, first.used is not None) == ("192.0.2.9", True)
    at = first.used
    ask(client, world.token)
    assert row(world.token).used == at
    change(world.token, used=utc_now() - timedelta(minutes=2))
    ask(client, world.token)
    assert row(world.token).used_from == "127.0.0.1"


def test_one_lists_and_ends_ones_own_tokens(client: FlaskClient, world: World) -> None:
    tokens.create_token("vic", "not ann's", Scope.READ, "root")
    secret = tokens.create_token("ann", "bound", Scope.DEPLOY, "root", services=["orders"])
    found = ask(client, world.token, "/tokens").json["data"]
    assert [one["name"] for one in found] == ["bound", "read", "all"]
    assert found[0]["services"] == ["orders"]
    assert secret not in str(found)
    assert "sha256" not in found[0]
    bearer = world.bearer(world.token)
    answer = client.post(f"{API}/tokens/{found[0]['id']}/revoke", headers=bearer)
    assert answer.json["data"]["revoked"]
    assert ask(client, secret).status_code == 401
    foreign = row(tokens.create_token("vic", "x", Scope.READ, "root")).id
    assert client.post(f"{API}/tokens/{foreign}/revoke", headers=bearer).status_code == 404


@pytest.mark.parametrize(
    ("scope", "services"),
    [(Scope.READ, []), (Scope.BUILDS, []), (Scope.DEPLOY, []), (Scope.MANAGE, ["orders"])],
    ids=["read", "builds", "deploy", "manage, bound"],
)
def test_a_token_that_may_not_do_everything_ends_only_itself(
    client: FlaskClient, world: World, scope: Scope, services: list[str]
) -> None:
    secret = tokens.create_token("ann", "weak", scope, "root", services=services)
    bearer = world.bearer(secret)
    for other in (row(world.token).id, 999_999):
        answer = client.post(f"{API}/tokens/{other}/revoke", headers=bearer)
        assert answer.status_code == 403
        assert "only itself" in answer.json["hint"]
    assert ask(client, world.token).status_code == 200
    assert client.post(f"{API}/tokens/{row(secret).id}/revoke", headers=bearer).json["data"]["revoked"]
    assert ask(client, secret).status_code == 401


class TestBound:
    """For a token for one service nothing else exists."""

    @pytest.fixture
    def secret(self, world: World) -> Iterator[str]:
        yield tokens.create_token("ann", "orders only", Scope.MANAGE, "root", services=["orders"])

    def foreign(self, world: World) -> list[tuple[str, dict[str, str]]]:
        other = f"/services/{world.other}"
        return [
            (f"{other}/versions/{world.other_version}/upgrade", {"dest_version": "1", "host": "all"}),
            (f"{other}/versions/{world.other_version}/upgrade/plan", {"dest_version": "1", "host": "all"}),
            (f"{other}/versions", {"version": "9"}),
            (f"{other}/versions/{world.other_version}/build", {"status": "failed"}),
            (f"{other}/versions/{world.other_version}/mark", {"irreversible": "no"}),
            (other, {"name": "other", "restart": "true"}),
            (f"{other}/instances", {"host_id": "1", "version_id": str(world.other_version), "port": "1"}),
            ("/services", {"name": "new", "restart": "true"}),
            ("/hosts", {"hostname": "new", "address": "192.0.2.1", "directory": "/srv"}),
            (f"/hosts/{world.hosts['web-1']}/check", {}),
            (f"/hosts/{world.hosts['web-1']}/retire", {}),
            ("/hosts/import/plan", {"content": "hostname\nx"}),
            ("/credentials", {"name": "x", "kind": "password", "password": "x"}),
        ]

    def test_it_may_do_nothing_to_what_is_not_its_service(self, client: FlaskClient, world: World, secret: str) -> None:
        before = snapshot()
        for path, data in self.foreign(world):
            answer = client.post(API + path, data=data, headers=world.bearer(secret))
            if path.startswith(f"/services/{world.other}"):
                assert answer.status_code == 404, (path, answer.json)
                continue
            assert answer.status_code == 403, (path, answer.json)
            assert "some services only" in answer.json["hint"], path
        assert snapshot() == before

    def test_it_may_do_nothing_to_the_rollout_of_another_service(
        self, client: FlaskClient, world: World, secret: str
    ) -> None:
        other = tokens.create_token("ann", "other only", Scope.DEPLOY, "root", services=["other"])
        started = client.post(
            API + world.url(),
            data={"dest_version": world.versions["1.2.0"], "host": "all"},
            headers=world.bearer(secret),
        )
        assert started.status_code == 202, started.json
        rollout = started.json["data"]["rollout_id"]
        before = snapshot()
        for action in ("pause", "cancel", "undo", "retry", "resume"):
            answer = client.post(f"{API}/rollouts/{rollout}/{action}", headers=world.bearer(other))
            assert answer.status_code == 404, (action, answer.json)
        assert snapshot() == before
        assert client.post(f"{API}/rollouts/{rollout}/cancel", headers=world.bearer(secret)).status_code == 202

    def test_it_may_do_to_its_service_what_its_scope_says(self, client: FlaskClient, world: World, secret: str) -> None:
        data = {"version": "9", "status": "building"}
        answer = client.post(f"{API}/services/{world.service}/versions", data=data, headers=world.bearer(secret))
        assert answer.status_code == 201

    def test_it_reads_no_other_service(self, client: FlaskClient, world: World, secret: str) -> None:
        assert ask(client, secret, f"/services/{world.service}/versions").status_code == 200
        assert ask(client, secret, f"/services/{world.other}/versions").status_code == 404

    def test_of_the_tokens_of_its_owner_it_sees_itself(self, client: FlaskClient, world: World, secret: str) -> None:
        tokens.create_token("ann", "elsewhere", Scope.READ, "root", services=["other"])
        assert [one["name"] for one in ask(client, secret, "/tokens").json["data"]] == ["orders only"]

    def test_it_cannot_be_made_for_a_service_that_is_not_there(self, world: World, client: FlaskClient) -> None:
        before = snapshot()
        with pytest.raises(Exception, match="no service nowhere"):
            tokens.create_token("ann", "x", Scope.READ, "root", services=["orders", "nowhere"])
        assert snapshot() == before
