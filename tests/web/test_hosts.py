"""Hosts on their pages and over JSON: the list, one host, add, change, retire, bring back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from deployer.domain.status import Evidence, Reach
from deployer.extensions import db
from deployer.models import AuditEntry, Host, Instance
from deployer.operations import checks, hosts
from deployer.operations.checks import CheckEnd
from deployer.operations.hosts import NewHost
from deployer.queries import hosts as queries
from tests.hostile import MALFORMED_VERSIONS
from tests.standings import MAKERS
from tests.web.conftest import Visitor
from tests.world import ADMIN, World, snapshot

DB = {
    "hostname": "db-1",
    "address": "192.0.2.9",
    "reach": "ssh",
    "directory": "/srv/deployer",
    "labels": "prod db prod",
    "ssh_user": "deploy",
    "ssh_port": "2222",
    "jump": "ops@bastion:22",
}


def host_named(name: str) -> queries.HostRow:
    db.session.rollback()
    return queries.host(db.session.execute(select(Host.id).where(Host.hostname == name)).scalar_one())


def add(**more: Any) -> int:
    return hosts.add_host(NewHost("db-1", "192.0.2.9", "/srv/deployer", Reach.SSH, **more), ADMIN)


def test_a_host_is_added_with_the_way_to_it(visitor: Visitor, world: World) -> None:
    answer = visitor.post("/hosts", DB)
    row = host_named("db-1")
    assert (answer.status_code, answer.location) == (303, f"/hosts/{row.id}")
    assert (row.login.user, row.login.port, row.login.jump) == ("deploy", 2222, "ops@bastion:22")
    assert row.labels == ("db", "prod")
    page = visitor.get(f"/hosts/{row.id}").text
    assert "deploy@192.0.2.9:2222" in page
    assert "No key was seen yet." in page


def test_over_json_a_host_is_added_read_and_changed(visitor: Visitor, world: World) -> None:
    bearer = world.bearer()
    added = visitor.client.post("/api/v1/hosts", json=DB, headers=bearer)
    assert added.status_code == 201
    host = added.json["data"]
    assert (host["labels"], host["ssh_port"], host["check"]["state"]) == (["db", "prod"], 2222, "never")
    path = f"/api/v1/hosts/{host['id']}"
    changed = visitor.client.post(path, json=DB | {"address": "192.0.2.10", "labels": "db"}, headers=bearer)
    assert (changed.status_code, changed.json["data"]["address"]) == (200, "192.0.2.10")
    assert visitor.client.get(path, headers=bearer).json["data"] == changed.json["data"]
    (entry,) = db.session.execute(select(AuditEntry).where(AuditEntry.verb == "change")).scalars()
    assert entry.facts["changes"] == {"address": ["192.0.2.9", "192.0.2.10"], "labels": ["db prod", "db"]}


def test_the_list_is_filtered_by_text_labels_and_the_last_check(visitor: Visitor, world: World) -> None:
    add(labels=("db", "prod"))
    checks.ask(world.hosts["web-1"], ADMIN)
    (check,) = checks.waiting_checks()
    assert checks.settle_check(check, CheckEnd(None, "unreachable", "It is off.", "Switch it on."))
    for query, names in {
        "q=192.0.2": {"db-1"},
        "label=prod": {"db-1"},
        "label=prod,db": {"db-1"},
        "label=prod,web": set(),
        "state=problem": {"web-1"},
        "state=ok": set(),
        "state=never": {"db-1", "web-2", "web-3", "web-4", "web-5"},
        "retired=1": set(),
    }.items():
        api = visitor.client.get(f"/api/v1/hosts?{query}", headers=world.bearer())
        assert {row["hostname"] for row in api.json["data"]} == names, query
        page = visitor.get(f"/hosts?{query}").text
        for name in ("db-1", "web-1", "web-2"):
            assert (f">{name}</a>" in page) is (name in names), query


@pytest.mark.parametrize("query", ["label=*", "state=great", "retired=2", "q=%00", "label=a&label=b", "state=ok%00"])
def test_a_filter_that_cannot_be_read_is_refused(shared_visitor: Visitor, shared_world: World, query: str) -> None:
    assert shared_visitor.get(f"/hosts?{query}").status_code == 422
    assert shared_visitor.client.get(f"/api/v1/hosts?{query}", headers=shared_world.bearer()).status_code == 417


def test_a_host_with_services_is_not_retired_and_they_are_named(visitor: Visitor, world: World) -> None:
    path = f"/hosts/{world.hosts['web-1']}/retire"
    before = snapshot()
    answer = visitor.post(path)
    assert answer.status_code == 409
    assert "Services run on this host: orders." in answer.text
    assert visitor.client.post("/api/v1" + path, headers=world.bearer()).status_code == 409
    assert snapshot() == before


def test_a_retired_host_is_out_of_sight_gets_no_instances_and_can_come_back(visitor: Visitor, world: World) -> None:
    host_id = add()
    path = f"/hosts/{host_id}"
    assert visitor.post(path + "/retire").status_code == 303
    assert ">db-1</a>" not in visitor.get("/hosts").text
    assert ">db-1</a>" in visitor.get("/hosts?retired=1").text
    service = f"/services/{world.service}/instances"
    assert "db-1" not in visitor.get(service + "/new").text
    refused = visitor.post(service, {"host_id": host_id, "version_id": world.versions["1.1.0"], "port": 80})
    assert refused.status_code == 409
    assert "This host is retired." in refused.text
    assert visitor.post(path + "/check").status_code == 409
    again = visitor.post("/hosts", DB)
    assert again.status_code == 409
    assert "That host is retired. Bring it back" in again.text

    assert visitor.post(path + "/bring-back").status_code == 303
    assert ">db-1</a>" in visitor.get("/hosts").text
    page = visitor.get(path).text
    assert "ann retired the host" in page
    assert "ann brought the host back" in page


def test_a_host_does_not_come_back_into_a_directory_that_another_one_has_by_now(visitor: Visitor, world: World) -> None:
    host_id = add()
    hosts.retire(host_id, ADMIN)
    hosts.add_host(NewHost("db-2", "192.0.2.9", "/srv/deployer", Reach.SSH), ADMIN)
    assert visitor.post(f"/hosts/{host_id}/bring-back").status_code == 409
    assert host_named("db-1").retired is not None


def test_while_a_rollout_works_there_only_the_way_to_a_host_is_fixed(visitor: Visitor, world: World) -> None:
    MAKERS["running"](world)
    held = select(Host).join(Instance, Instance.host_id == Host.id).where(Instance.rollout_id.is_not(None))
    host = db.session.execute(held).scalars().first()
    assert host is not None
    path = f"/api/v1/hosts/{host.id}"
    now = {"hostname": host.hostname, "address": host.address, "directory": host.directory}
    before = snapshot()
    refused = visitor.client.post(path, json=now | {"address": "127.0.0.99"}, headers=world.bearer())
    assert refused.status_code == 409
    assert "holds it." in refused.json["msg"]
    assert snapshot() == before
    changed = visitor.client.post(path, json=now | {"labels": "a", "hostname": "web-one"}, headers=world.bearer())
    assert changed.status_code == 200


def test_what_was_seen_of_a_host_does_not_hold_for_another_address(visitor: Visitor, world: World) -> None:
    host_id = world.hosts["web-1"]
    instance = db.session.execute(select(Instance).where(Instance.host_id == host_id)).scalar_one()
    instance.evidence = Evidence.CONFIRMED
    db.session.get_one(Host, host_id).checked = instance.updated
    db.session.commit()
    rev = instance.rev
    new = {"hostname": "web-1", "address": "127.0.0.99", "directory": "/srv/web-1"}
    assert visitor.post(f"/hosts/{host_id}/edit", new).status_code == 303
    db.session.rollback()
    assert (instance.evidence, instance.rev > rev) == (Evidence.RECORDED, True)
    assert queries.host(host_id).checked is None


def test_a_change_that_changes_nothing_is_none(visitor: Visitor, world: World) -> None:
    before = snapshot()
    same = {"hostname": "web-1", "address": "127.0.0.1", "directory": "/srv/web-1", "reach": "local"}
    assert visitor.post(f"/hosts/{world.hosts['web-1']}/edit", same).status_code == 303
    assert snapshot() == before


def test_a_name_and_a_directory_are_one_hosts_only(visitor: Visitor, world: World) -> None:
    before = snapshot()
    path = f"/hosts/{world.hosts['web-1']}/edit"
    for new, words in (
        ({"hostname": "web-2", "address": "127.0.0.1", "directory": "/srv/web-1"}, "There is a host of this name"),
        ({"hostname": "web-1", "address": "127.0.0.1", "directory": "/srv/web-2"}, "Another host has this directory."),
    ):
        answer = visitor.post(path, new)
        assert answer.status_code == 409
        assert words in answer.text
    assert snapshot() == before


def test_two_hosts_over_ssh_may_have_the_same_directory_but_not_one_machine_twice(world: World) -> None:
    add()
    hosts.add_host(NewHost("db-2", "192.0.2.10", "/srv/deployer", Reach.SSH), ADMIN)
    with pytest.raises(hosts.Conflict):
        hosts.add_host(NewHost("db-3", "192.0.2.10", "/srv/deployer", Reach.SSH), ADMIN)


FIELDS = ("hostname", "address", "reach", "directory", "labels", "ssh_user", "ssh_port", "jump", "credential")
KINDS = (
    "full-width digit",
    "arabic-indic digit",
    "superscript",
    "zero-width space",
    "right-to-left mark",
    "5,000 digits",
    "NUL",
    "only NUL",
    "lone surrogate",
    "shell",
    "markup",
    "format string",
)


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_value_is_refused_at_its_field_and_changes_nothing(
    shared_visitor: Visitor, shared_world: World, field: str
) -> None:
    before = snapshot()
    for kind in KINDS:
        sent = DB | {field: MALFORMED_VERSIONS[kind]}
        answer = shared_visitor.client.post("/api/v1/hosts", json=sent, headers=shared_world.bearer())
        assert answer.status_code == 417, (kind, answer.text)
        assert field in answer.json["errors"], kind
        if kind != "lone surrogate":  # which no form can carry
            assert shared_visitor.post("/hosts", sent).status_code == 422, kind
    assert snapshot() == before


def test_settings_for_ssh_are_refused_for_a_local_host(shared_visitor: Visitor, shared_world: World) -> None:
    before = snapshot()
    answer = shared_visitor.post("/hosts", {**DB, "reach": "local"})
    assert answer.status_code == 422
    assert answer.text.count("This is for hosts that are reached by SSH.") >= 3
    assert snapshot() == before


def test_an_unknown_credential_is_refused_at_its_field(shared_visitor: Visitor, shared_world: World) -> None:
    before = snapshot()
    answer = shared_visitor.client.post(
        "/api/v1/hosts", json=DB | {"credential": "nobody"}, headers=shared_world.bearer()
    )
    assert answer.status_code == 404
    assert "credential" in answer.json["errors"]
    assert snapshot() == before


def test_a_viewer_sees_hosts_and_changes_none(visitor: Visitor, world: World) -> None:
    viewer = Visitor(visitor.client.application.test_client())
    viewer.sign_in("vic")
    path = f"/hosts/{world.hosts['web-1']}"
    page = viewer.get(path).text
    for words in ("Edit…", "Retire", "Test connection"):
        assert words not in page
    before = snapshot()
    for post in ("/edit", "/retire", "/bring-back", "/check", "/keys/trust", "/keys/forget"):
        assert viewer.post(path + post).status_code == 403, post
    reader = world.bearer(world.reader_token)
    for post in ("", "/retire", "/bring-back", "/check", "/keys/trust", "/keys/forget"):
        assert viewer.client.post("/api/v1" + path + post, headers=reader).status_code == 403, post
    assert snapshot() == before


@pytest.mark.parametrize("identity", ["0", "999999", "1abc", "01"])
def test_a_host_that_is_not_there_does_not_exist(shared_visitor: Visitor, shared_world: World, identity: str) -> None:
    for path in ("", "/edit", "/changes?since=0", "/keys/trust"):
        assert shared_visitor.get(f"/hosts/{identity}{path}").status_code == 404, path
    for path in ("/retire", "/bring-back", "/check"):
        assert shared_visitor.post(f"/hosts/{identity}{path}").status_code == 404, path
    bearer = shared_world.bearer()
    assert shared_visitor.client.get(f"/api/v1/hosts/{identity}", headers=bearer).status_code == 404
    assert shared_visitor.client.post(f"/api/v1/hosts/{identity}", json=DB, headers=bearer).status_code == 404


def test_a_new_host_begins_with_ssh_and_may_be_local(shared_visitor: Visitor) -> None:
    page = shared_visitor.get("/hosts/new").text
    assert '<option value="ssh" selected>' in page
    assert '<option value="local">' in page
