"""Import hosts: what would change is shown first, and exactly that is done, on pages and over JSON."""

from __future__ import annotations

import io
import re
import time
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from werkzeug.test import EnvironBuilder

from deployer.domain.reach import CredentialKind
from deployer.domain.status import Evidence, Reach
from deployer.extensions import db
from deployer.models import AuditEntry, Instance
from deployer.operations import credentials, hosts, imports
from deployer.operations.credentials import NewCredential
from deployer.operations.hosts import NewHost
from deployer.queries import credentials as credential_queries
from deployer.queries import hosts as queries
from tests.standings import started
from tests.web.conftest import Visitor
from tests.web.test_statements import grow, statements
from tests.world import ADMIN, World, snapshot

TABLE = """hostname,address,ssh_user,labels,description
db-1,192.0.2.9,deploy,db prod,
db-2,192.0.2.10,deploy,db,The other <one>
web-1,127.0.0.1,,,A first web server
web-2,127.0.0.2,,,
bad_name,192.0.2.11,,,
db-1,192.0.2.12,,,
"""
DIGEST = re.compile(r'name="plan" value="([0-9a-f]{64})"')


def api(visitor: Visitor, world: World, **sent: Any) -> Any:
    path = "/api/v1/hosts/import" + ("" if "plan" in sent else "/plan")
    return visitor.client.post(path, json={"directory": "/srv/deployer", **sent}, headers=world.bearer())


def names() -> set[str]:
    db.session.rollback()
    return {name for name, row in queries.by_name().items() if not row.retired}


def test_a_preview_writes_nothing_and_says_what_would_change(visitor: Visitor, world: World) -> None:
    before = snapshot()
    found = api(visitor, world, content=TABLE).json["data"]
    assert snapshot() == before
    assert [(one["hostname"], one["reach"], one["line"]) for one in found["added"]] == [
        ("db-1", "ssh", 2),
        ("db-2", "ssh", 3),
    ]
    assert found["changed"] == [
        {
            "id": world.hosts["web-1"],
            "hostname": "web-1",
            "line": 4,
            "changes": {"description": ["", "A first web server"]},
        }
    ]
    assert found["unchanged"] == ["web-2"]
    refused = [(one["line"], one["name"]) for one in found["refused"]]
    assert refused == [(6, "bad_name"), (7, "db-1")]
    assert found["refused"][0]["why"][0].startswith("hostname: This is not a host name.")
    assert "Line 2 has this host already." in found["refused"][1]["why"][0]


def test_what_was_shown_is_done_and_a_second_time_there_is_nothing_to_do(visitor: Visitor, world: World) -> None:
    shown = api(visitor, world, content=TABLE).json["data"]
    done = api(visitor, world, content=TABLE, plan=shown["plan"])
    assert (done.status_code, done.json["data"]) == (200, shown)
    assert {"db-1", "db-2"} <= names()
    row = queries.by_name()["db-1"]
    assert (row.address, row.login.user, row.labels, row.reach) == ("192.0.2.9", "deploy", ("db", "prod"), Reach.SSH)
    verbs = db.session.execute(select(AuditEntry.verb).where(AuditEntry.noun == "host", AuditEntry.actor == "ann"))
    assert sorted(verbs.scalars()) == ["add", "add", "change"]
    again = api(visitor, world, content=TABLE).json["data"]
    assert (again["added"], again["changed"]) == ([], [])
    before = snapshot()
    nothing = api(visitor, world, content=TABLE, plan=again["plan"])
    assert (nothing.status_code, nothing.json["msg"]) == (409, "There is nothing to import.")
    assert snapshot() == before


def test_when_the_world_has_changed_nothing_is_done_and_the_new_plan_comes(visitor: Visitor, world: World) -> None:
    shown = api(visitor, world, content=TABLE).json["data"]
    hosts.add_host(NewHost("db-2", "192.0.2.99", "/srv/deployer", Reach.SSH), ADMIN)
    before = snapshot()
    refused = api(visitor, world, content=TABLE, plan=shown["plan"])
    assert refused.status_code == 409
    assert list(refused.json["errors"]) == ["plan"]
    now = refused.json["data"]
    assert now["plan"] != shown["plan"]
    assert [one["hostname"] for one in now["changed"]] == ["db-2", "web-1"]
    assert snapshot() == before
    assert api(visitor, world, content=TABLE, plan=now["plan"]).status_code == 200


def test_another_file_is_not_what_was_shown(visitor: Visitor, world: World) -> None:
    shown = api(visitor, world, content=TABLE).json["data"]
    before = snapshot()
    assert api(visitor, world, content=TABLE.replace("192.0.2.9", "192.0.2.8"), plan=shown["plan"]).status_code == 409
    assert snapshot() == before


def test_on_the_page_a_file_is_uploaded_looked_at_and_confirmed(visitor: Visitor, world: World) -> None:
    before = snapshot()
    upload = {"file": (io.BytesIO(TABLE.encode()), "hosts.csv"), "directory": "/srv/deployer", "labels": "new"}
    page = visitor.client.post("/hosts/import/preview", data={"csrf_token": visitor.token, **upload})
    assert page.status_code == 200, page.text
    assert snapshot() == before
    for words in ("Add 2, change 2", "The other &lt;one&gt;", "A first web server", "This is not a host name."):
        assert words in page.text
    sent = {"content": TABLE, "format": "csv", "directory": "/srv/deployer", "labels": "new"}
    found = DIGEST.search(page.text)
    assert found
    hosts.add_host(NewHost("db-2", "192.0.2.99", "/srv/deployer", Reach.SSH), ADMIN)
    stale = visitor.post("/hosts/import", sent | {"plan": found[1]})
    assert stale.status_code == 409
    assert "What would happen now is not what you were shown." in stale.text
    assert "192.0.2.99" in stale.text
    found = DIGEST.search(stale.text)
    assert found
    done = visitor.post("/hosts/import", sent | {"plan": found[1]})
    assert (done.status_code, done.location) == (303, "/hosts")
    assert queries.by_name()["db-2"].labels == ("db", "new")


def confirmed(visitor: Visitor, **sent: str) -> Any:
    """What comes of an import that was looked at on the page."""
    page = visitor.post("/hosts/import/preview", sent)
    found = DIGEST.search(page.text)
    assert found, page.text
    return visitor.post("/hosts/import", sent | {"plan": found[1]})


def test_the_list_of_hosts_says_once_how_it_ended(visitor: Visitor) -> None:
    assert confirmed(visitor, content=TABLE, directory="/srv/deployer").status_code == 303
    said = "Imported: 2 added, 1 changed, 1 unchanged, 2 left out."
    assert said in visitor.get("/hosts").text
    assert said not in visitor.get("/hosts").text


def test_what_cannot_be_done_now_comes_back_as_it_was_shown(visitor: Visitor, world: World) -> None:
    rollout_id = started(world, "queued")
    before = snapshot()
    refused = confirmed(
        visitor, content="hostname,address\nweb-1,127.0.0.77\n", directory="/srv/deployer", labels="new"
    )
    assert refused.status_code == 409
    assert f"Rollout #{rollout_id} of {ADMIN.name} holds it." in refused.text
    for shown in ("What would change", "127.0.0.77", 'name="labels" value="new"', "hostname,address"):
        assert shown in refused.text
    assert snapshot() == before


def test_what_an_import_costs_does_not_grow_with_the_hosts_in_it(visitor: Visitor, world: World) -> None:
    grow(world, 200)
    db.session.execute(update(Instance).values(evidence=Evidence.CONFIRMED))
    db.session.commit()

    def cost(number: int, **to: str) -> int:
        rows = [f"grown-{n:05},{','.join(to.values())}" for n in range(100, 100 + number)]
        text = "\n".join([f"hostname,{','.join(to)}", *rows])
        with statements() as seen:
            done = api(visitor, world, content=text, plan=api(visitor, world, content=text).json["data"]["plan"])
        assert len(done.json["data"]["changed"]) == number
        return len(seen)

    def cost_of_new(first: int, number: int) -> int:
        entries = (f"Host new-{n}\n IdentityFile /keys/{n}\n" for n in range(first, first + number))
        text = "\n".join(entries)
        with statements() as seen:
            done = api(visitor, world, content=text, plan=api(visitor, world, content=text).json["data"]["plan"])
        assert len(done.json["data"]["added"]) == len(done.json["data"]["credentials"]) == number
        return len(seen)

    api(visitor, world, content="Host warm\n")  # that the token is used is noted with its first call
    assert cost_of_new(0, 10) == cost_of_new(100, 200)
    few = cost(10, address="127.0.0.9", description="few", labels="few")
    assert cost(200, address="127.0.0.8", description="many", labels="many") == few
    db.session.rollback()
    row = queries.by_name()["grown-00299"]
    assert (row.address, row.description, row.labels) == ("127.0.0.8", "many", ("many",))
    evidence = {one.evidence for one in queries.instances(row.id)}
    assert evidence == {Evidence.RECORDED}


def test_whoever_is_faster_with_a_name_makes_it_another_plan(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Host a\n IdentityFile ~/.ssh/id_ed25519\n"
    shown = api(visitor, world, content=text).json["data"]

    def late(*_: object) -> None:
        raise IntegrityError("", None, Exception())

    monkeypatch.setattr(imports.credentials, "insert", late)
    refused = api(visitor, world, content=text, plan=shown["plan"])
    assert (refused.status_code, list(refused.json["errors"])) == (409, ["plan"])
    assert "a" not in names()


def test_a_key_of_an_ssh_configuration_becomes_a_credential_once(visitor: Visitor, world: World) -> None:
    credentials.add(NewCredential("id_ed25519", CredentialKind.FILE, "/elsewhere/id_ed25519"), ADMIN)
    text = "Host a b\n IdentityFile ~/.ssh/id_ed25519\nHost c\n IdentityFile /elsewhere/id_ed25519\n"
    shown = api(visitor, world, content=text).json["data"]
    assert shown["format"] == "ssh-config"
    assert shown["credentials"] == [{"name": "id_ed25519-2", "path": "~/.ssh/id_ed25519"}]
    assert api(visitor, world, content=text, plan=shown["plan"]).status_code == 200
    rows = queries.by_name()
    assert [rows[name].credential for name in "abc"] == ["id_ed25519-2", "id_ed25519-2", "id_ed25519"]
    assert {one.name: one.public for one in credential_queries.credentials()} == {
        "id_ed25519": "/elsewhere/id_ed25519",
        "id_ed25519-2": "~/.ssh/id_ed25519",
    }
    assert api(visitor, world, content=text).json["data"]["unchanged"] == ["a", "b", "c"]


def test_an_inventory_adds_labels_and_leaves_what_it_does_not_name(visitor: Visitor, world: World) -> None:
    hosts.add_host(NewHost("db-1", "192.0.2.9", "/data", Reach.SSH, "mine", ("old",), "root", 2222), ADMIN)
    text = "all:\n  children:\n    dbs:\n      hosts:\n        db-1: {ansible_user: deploy}\n        db-2:\n"
    (changed,) = api(visitor, world, content=text).json["data"]["changed"]
    assert changed["changes"] == {"labels": ["old", "dbs old"], "ssh_user": ["root", "deploy"]}


def test_what_is_not_taken_over_is_named(visitor: Visitor, world: World) -> None:
    found = api(visitor, world, content="[web]\nweb-9 color=red become_pass=s3cret\n")
    assert [one["text"] for one in found.json["data"]["remarks"]] == [
        "The variable color is not taken over.",
        "The variable become_pass is not taken over.",
    ]
    assert "s3cret" not in found.text


def test_two_hosts_in_one_directory_of_one_machine_are_refused(visitor: Visitor, world: World) -> None:
    text = "hostname,address\na,192.0.2.9\nb,192.0.2.9\n"
    (refused,) = api(visitor, world, content=text).json["data"]["refused"]
    assert (refused["name"], refused["line"]) == ("b", 3)
    assert "The host a has this directory on the same machine." in refused["why"][0]


def test_a_credential_that_there_is_not_and_a_missing_directory_are_refused_before_anything_is_done(
    visitor: Visitor, world: World
) -> None:
    table = "hostname,address,credential,description\ndb-1,192.0.2.9,nosuch,\nweb-1,127.0.0.1,,Changed\n"
    shown = api(visitor, world, content=table).json["data"]
    (refused,) = shown["refused"]
    assert refused["line"] == 2
    assert refused["why"][0].startswith("There is no credential of this name.")
    done = api(visitor, world, content=table, plan=shown["plan"])
    assert done.status_code == 200
    db.session.rollback()
    assert queries.by_name()["web-1"].description == "Changed"
    (refused,) = api(visitor, world, content="hostname\ndb-1\n", directory="").json["data"]["refused"]
    assert refused["why"][0].startswith("No directory is given for this host.")


def test_a_retired_host_is_left_out(visitor: Visitor, world: World) -> None:
    host_id = hosts.add_host(NewHost("db-1", "192.0.2.9", "/srv", Reach.SSH), ADMIN)
    hosts.retire(host_id, ADMIN)
    found = api(visitor, world, content="hostname,address\ndb-1,192.0.2.10\n").json["data"]
    assert (found["changed"], found["refused"][0]["name"]) == ([], "db-1")


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({"content": ""}, "content"),
    "blanks": ({"content": " \n "}, "content"),
    "no hosts": ({"content": "[empty]\n"}, "content"),
    "no table": ({"content": "a,b\n1,2\n", "format": "csv"}, "content"),
    "NUL": ({"content": "hostname\na\x00\n"}, "content"),
    "lone surrogate": ({"content": "hostname\na\ud800\n"}, "content"),
    "too many rows": ({"content": "hostname\n" + "a\n" * 100_000}, "content"),
    "too long": ({"content": "hostname\n" + "x" * 600_000}, "content"),
    "deep": ({"content": "{a: " * 5_000, "format": "ansible-yaml"}, "content"),
    "aliases": ({"content": "all: &a\n  hosts: *a\n", "format": "ansible-yaml"}, "content"),
    "format": ({"content": TABLE, "format": "toml"}, "format"),
    "directory": ({"content": TABLE, "directory": "here"}, "directory"),
    "labels": ({"content": TABLE, "labels": "*"}, "labels"),
}


@pytest.mark.parametrize(("sent", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_file_is_refused_clearly(
    shared_visitor: Visitor, shared_world: World, sent: dict[str, str], field: str
) -> None:
    before = snapshot()
    answer = api(shared_visitor, shared_world, **sent)
    assert (answer.status_code, list(answer.json["errors"])) == (417, [field])
    confirmed = api(shared_visitor, shared_world, **sent, plan="0" * 64)
    assert (confirmed.status_code, list(confirmed.json["errors"])) == (417, [field])
    if "\ud800" not in sent["content"]:
        page = shared_visitor.post("/hosts/import/preview", {"directory": "/srv", **sent})
        assert page.status_code == 422
        assert 'role="alert" tabindex="-1"' in page.text
    assert snapshot() == before


@pytest.mark.parametrize("plan", ["", "x", "0" * 63, "A" * 64, "１" * 64])
def test_without_the_token_of_a_plan_nothing_is_done(shared_visitor: Visitor, shared_world: World, plan: str) -> None:
    before = snapshot()
    answer = api(shared_visitor, shared_world, content=TABLE, plan=plan)
    assert (answer.status_code, list(answer.json["errors"])) == (417, ["plan"])
    assert snapshot() == before


def test_ten_megabytes_and_bytes_that_are_no_text_are_refused(shared_visitor: Visitor, shared_world: World) -> None:
    before = snapshot()
    for data, status in ((b"hostname\n" + b"x" * 10_000_000, 413), (b"hostname\n\xff\xfe\n", 422)):
        sent = {"csrf_token": shared_visitor.token, "file": (io.BytesIO(data), "hosts.csv")}
        builder = EnvironBuilder("/hosts/import/preview", method="POST", data=sent)
        body = builder.get_environ()
        answer = shared_visitor.client.open(body)
        body["wsgi.input"].close()
        builder.close()
        assert answer.status_code == status
    assert snapshot() == before


def test_five_thousand_hosts_are_imported_soon(visitor: Visitor, world: World) -> None:
    text = "[many]\nhost-[1:5000]\n"
    begin = time.monotonic()
    shown = api(visitor, world, content=text).json["data"]
    done = api(visitor, world, content=text, plan=shown["plan"])
    assert done.status_code == 200
    assert len(names()) == 5005
    assert time.monotonic() - begin < 90


def test_a_viewer_imports_nothing(visitor: Visitor, world: World) -> None:
    viewer = Visitor(visitor.client.application.test_client())
    viewer.sign_in("vic")
    assert viewer.get("/hosts/import").status_code == 403
    for path in ("/hosts/import/preview", "/hosts/import"):
        assert viewer.post(path, {"content": TABLE}).status_code == 403
    reader = world.bearer(world.reader_token)
    for path in ("/api/v1/hosts/import/plan", "/api/v1/hosts/import"):
        assert viewer.client.post(path, json={"content": TABLE}, headers=reader).status_code == 403
