"""Approving the key that a host has shown: what the page says, and what it asks for a changed one."""

from __future__ import annotations

import json

import pytest

from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.operations import host_keys, hosts
from deployer.operations.hosts import NewHost
from deployer.queries import hosts as queries
from tests.hostile import MALFORMED_VERSIONS
from tests.operations.test_host_keys import key
from tests.web.conftest import Visitor
from tests.world import ADMIN, World, snapshot

FIRST, SECOND = host_keys.fingerprint(key(1)), host_keys.fingerprint(key(2))
CHANGED = "This host has shown another key than the approved one."


@pytest.fixture
def host_id(world: World) -> int:
    """A host that has shown one key."""
    added = hosts.add_host(NewHost("db-1", "192.0.2.9", "/srv", Reach.SSH), ADMIN)
    host_keys.offer(added, key(1))
    return added


def approved(host_id: int) -> set[str]:
    db.session.rollback()
    return {one.fingerprint for one in queries.keys(host_id) if one.approved}


def test_a_new_key_is_shown_with_what_to_compare_and_approved(visitor: Visitor, host_id: int) -> None:
    page = visitor.get(f"/hosts/{host_id}").text
    assert FIRST in page
    assert CHANGED not in page
    assert "Key to approve" in visitor.get("/hosts").text
    dialog = visitor.get(f"/hosts/{host_id}/keys/trust", query_string={"fingerprint": FIRST}).text
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in dialog
    assert 'name="replace"' not in dialog
    answer = visitor.post(f"/hosts/{host_id}/keys/trust", {"fingerprint": FIRST})
    assert (answer.status_code, answer.location) == (303, f"/hosts/{host_id}")
    assert approved(host_id) == {FIRST}
    assert "ann approved a key" in visitor.get(f"/hosts/{host_id}").text


def test_a_changed_key_is_a_loud_warning_and_replaces_the_old_one_only_when_it_is_said(
    visitor: Visitor, host_id: int
) -> None:
    host_keys.trust(host_id, FIRST, ADMIN)
    host_keys.offer(host_id, key(2))
    assert CHANGED in visitor.get(f"/hosts/{host_id}").text
    assert "Key changed" in visitor.get("/hosts").text
    path = f"/hosts/{host_id}/keys/trust"
    dialog = visitor.get(path, query_string={"fingerprint": SECOND}).text
    assert "Another key is approved already." in dialog
    assert FIRST in dialog
    before = snapshot()
    refused = visitor.post(path, {"fingerprint": SECOND})
    assert refused.status_code == 409
    assert "If the host was set up anew, say that this key replaces the old one." in refused.text
    assert snapshot() == before
    assert visitor.post(path, {"fingerprint": SECOND, "replace": "true"}).status_code == 303
    assert approved(host_id) == {SECOND}
    assert CHANGED not in visitor.get(f"/hosts/{host_id}").text


def test_with_htmx_the_dialog_closes(visitor: Visitor, host_id: int) -> None:
    answer = visitor.post(f"/hosts/{host_id}/keys/trust", {"fingerprint": FIRST}, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert json.loads(answer.headers["HX-Trigger"])["closeDialog"]["otherwise"] == f"/hosts/{host_id}"


def test_over_json_a_key_is_listed_approved_and_forgotten(visitor: Visitor, world: World, host_id: int) -> None:
    path, bearer = f"/api/v1/hosts/{host_id}/keys", world.bearer()
    (listed,) = visitor.client.get(path, headers=bearer).json["data"]
    assert (listed["fingerprint"], listed["key"], listed["approved"]) == (FIRST, key(1), None)
    answer = visitor.client.post(path + "/trust", json={"fingerprint": FIRST}, headers=bearer)
    assert (answer.status_code, answer.json["data"][0]["approved_by"]) == (200, "ann")
    host_keys.offer(host_id, key(2))
    refused = visitor.client.post(path + "/trust", json={"fingerprint": SECOND}, headers=bearer)
    assert (refused.status_code, list(refused.json["errors"])) == (409, ["replace"])
    replaced = visitor.client.post(path + "/trust", json={"fingerprint": SECOND, "replace": True}, headers=bearer)
    assert replaced.status_code == 200
    assert approved(host_id) == {SECOND}
    assert visitor.client.post(path + "/forget", json={"fingerprint": SECOND}, headers=bearer).json["data"] == []
    gone = visitor.client.post(path + "/forget", json={"fingerprint": SECOND}, headers=bearer)
    assert (gone.status_code, list(gone.json["errors"])) == (404, ["fingerprint"])


def test_a_key_is_forgotten_with_its_button(visitor: Visitor, host_id: int) -> None:
    assert visitor.post(f"/hosts/{host_id}/keys/forget", {"fingerprint": FIRST}).status_code == 303
    assert "No key was seen yet." in visitor.get(f"/hosts/{host_id}").text


@pytest.mark.parametrize("kind", [name for name in MALFORMED_VERSIONS if name != "lone surrogate"])
def test_a_hostile_fingerprint_is_refused(shared_visitor: Visitor, shared_world: World, kind: str) -> None:
    path = f"/hosts/{shared_world.hosts['web-1']}/keys"
    before = snapshot()
    for name in ("trust", "forget"):
        sent = {"fingerprint": MALFORMED_VERSIONS[kind]}
        assert shared_visitor.post(f"{path}/{name}", sent).status_code == 422
        api = shared_visitor.client.post(f"/api/v1{path}/{name}", json=sent, headers=shared_world.bearer())
        assert api.status_code == 417
    assert shared_visitor.get(f"{path}/trust", query_string=sent).status_code == 404
    assert snapshot() == before
