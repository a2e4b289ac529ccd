"""Credentials on pages and over JSON: written and never read; nothing that is said anywhere has the secret in it."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask, current_app

from deployer import queue, sealing
from deployer.domain.errors import Conflict
from deployer.domain.reach import CredentialKind, Secret
from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.operations import checks, credentials, hosts
from deployer.operations.credentials import NewCredential
from deployer.operations.hosts import NewHost
from deployer.queries import credentials as queries
from tests import secrets
from tests.hostile import MALFORMED_VERSIONS
from tests.web.conftest import Visitor
from tests.world import ADMIN, World, snapshot

PASSWORD = "correct-horse-Zr8x"
KEY = secrets.pem()
MIDDLE = KEY.splitlines()[2]


@pytest.fixture
def keys(app: Flask, world: World) -> sealing.Keys:
    """The keys of a worker that has published them."""
    found = sealing.held(app.config["SETTINGS"].home, {})
    assert credentials.publish(found.publics)
    return found


def add(name: str = "deploy", password: str = PASSWORD) -> int:
    return credentials.add(NewCredential(name, CredentialKind.PASSWORD, secret=Secret(password=password)), ADMIN)


def kept(name: str = "deploy") -> bytes:
    db.session.rollback()
    checks.ask(hosts.add_host(NewHost(f"of-{name}", "h", f"/srv/{name}", Reach.SSH, credential=name), ADMIN), ADMIN)
    place = checks.waiting_checks()[-1].place
    assert place.credential is not None
    assert place.credential.sealed is not None
    return place.credential.sealed


def test_a_key_is_sealed_and_shown_by_its_fingerprint(visitor: Visitor, keys: sealing.Keys) -> None:
    sent = {"name": "deploy", "kind": "key", "key": KEY.replace("\n", "\r\n"), "passphrase": secrets.PASSPHRASE}
    assert visitor.post("/credentials", sent).status_code == 303
    page = visitor.get("/credentials").text
    assert "SHA256:" in page
    assert "(ecdsa-sha2-nistp256)" in page
    assert keys.open(kept(), "deploy") == Secret(key=KEY, passphrase=secrets.PASSPHRASE)


def test_of_those_who_add_a_credential_of_one_name_at_once_all_but_one_are_told_so(
    app: Flask, world: World, keys: sealing.Keys
) -> None:
    together = threading.Barrier(4)

    def one(_: int) -> str:
        with app.app_context():
            together.wait()
            try:
                add()
            except Conflict as refused:
                return refused.field
            finally:
                db.session.remove()
            return "added"

    with ThreadPoolExecutor(4) as people:
        assert sorted(people.map(one, range(4))) == ["added", "name", "name", "name"]


def test_over_json_credentials_are_added_listed_replaced_and_removed(
    visitor: Visitor, world: World, keys: sealing.Keys
) -> None:
    bearer = world.bearer()
    path = "/api/v1/credentials"
    added = visitor.client.post(path, json={"name": "p", "kind": "password", "password": PASSWORD}, headers=bearer)
    assert added.status_code == 201
    assert added.json["data"] | {"updated": ""} == {
        "id": added.json["data"]["id"],
        "name": "p",
        "kind": "password",
        "public": "",
        "hosts": 0,
        "updated_by": "ann",
        "updated": "",
    }
    one = f"{path}/{added.json['data']['id']}"
    as_file = {"name": "p", "kind": "file", "path": "~/.ssh/id_ed25519"}
    replaced = visitor.client.post(one, json=as_file, headers=bearer)
    assert (replaced.json["data"]["kind"], replaced.json["data"]["public"]) == ("file", "~/.ssh/id_ed25519")
    renamed = visitor.client.post(one, json=as_file | {"name": "q"}, headers=bearer)
    assert (renamed.status_code, list(renamed.json["errors"])) == (409, ["name"])
    assert visitor.client.post(f"{one}/remove", headers=bearer).json["data"] == []
    assert visitor.client.post(f"{one}/remove", headers=bearer).status_code == 404
    assert visitor.client.get(path, headers=world.bearer(world.reader_token)).status_code == 403


def test_a_credential_that_hosts_use_is_not_removed_and_they_are_named(visitor: Visitor, keys: sealing.Keys) -> None:
    credential_id = add()
    kept()
    before = snapshot()
    answer = visitor.post(f"/credentials/{credential_id}/remove")
    assert answer.status_code == 409
    assert "Hosts use this credential: of-deploy." in answer.text
    assert snapshot() == before


def test_before_any_worker_was_there_nothing_is_kept_and_it_is_said_what_to_do(visitor: Visitor, world: World) -> None:
    before = snapshot()
    answer = visitor.post("/credentials", {"name": "p", "kind": "password", "password": PASSWORD})
    assert answer.status_code == 409
    assert "No worker has published the key to seal it with yet." in answer.text
    assert "deployer worker" in answer.text
    assert PASSWORD not in answer.text
    assert snapshot() == before
    file = visitor.post("/credentials", {"name": "f", "kind": "file", "path": "/etc/deployer/key"})
    assert file.status_code == 303


def test_a_second_worker_does_not_take_the_seals_away_from_the_first(
    app: Flask, world: World, keys: sealing.Keys, tmp_path: Path
) -> None:
    other = sealing.held(tmp_path / "other", {})
    assert credentials.publish(other.publics)  # nothing is sealed yet: whoever comes last
    assert credentials.publish(keys.publics)
    add()
    before = snapshot()
    assert not credentials.publish(other.publics)
    assert snapshot() == before
    assert credentials.publish((*other.publics, *keys.publics))  # it holds both: a rotation


def test_a_rotation_seals_everything_for_the_new_key_and_names_what_it_cannot_open(
    app: Flask, world: World, keys: sealing.Keys, tmp_path: Path
) -> None:
    add()
    home = app.config["SETTINGS"].home
    new = sealing.renewed(home, {})
    assert credentials.reseal(new, ADMIN) == []
    only_new = sealing.Keys(new.privates[:1])
    assert only_new.open(kept(), "deploy") == Secret(password=PASSWORD)
    other = sealing.held(tmp_path / "other", {})
    assert credentials.reseal(other, ADMIN) == ["deploy"]
    add("second")
    assert other.open(kept("second"), "second") == Secret(password=PASSWORD)


REFUSED = {
    "no name": ({"name": ""}, "name"),
    "name": ({"name": "a b"}, "name"),
    "kind": ({"kind": "magic"}, "kind"),
    "no key": ({"kind": "key", "password": ""}, "key"),
    "no password": ({"password": ""}, "password"),
    "long password": ({"password": "x" * 1025}, "password"),
    "password with NUL": ({"password": "x\x00"}, "password"),
    "password of two lines": ({"password": "x\ny"}, "password"),
    "path and password": ({"path": "/x"}, "path"),
    "no path": ({"kind": "file", "password": ""}, "path"),
    "relative path": ({"kind": "file", "password": "", "path": "x"}, "path"),
    "path with ..": ({"kind": "file", "password": "", "path": "~/../x"}, "path"),
    "no private key": ({"kind": "key", "password": "", "key": "ssh-ed25519 AAAA"}, "key"),
    "long key": ({"kind": "key", "password": "", "key": "x" * 40_000}, "key"),
    "no passphrase": ({"kind": "key", "password": "", "key": KEY}, "passphrase"),
    "wrong passphrase": ({"kind": "key", "password": "", "key": KEY, "passphrase": "wrong-9a"}, "passphrase"),
}


@pytest.mark.parametrize(("change", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_value_is_refused_at_its_field_and_no_secret_comes_back(
    shared_visitor: Visitor, shared_world: World, change: dict[str, str], field: str
) -> None:
    sent = {"name": "p", "kind": "password", "password": PASSWORD, **change}
    sent = {name: value for name, value in sent.items() if value or name == "name"}
    before = snapshot()
    page = shared_visitor.post("/credentials", sent)
    api = shared_visitor.client.post("/api/v1/credentials", json=sent, headers=shared_world.bearer())
    assert (page.status_code, api.status_code) == (422, 417), page.text
    assert field in api.json["errors"]
    for text in (page.text, api.text):
        for word in (PASSWORD, MIDDLE, "wrong-9a"):
            assert word not in text
    assert snapshot() == before


@pytest.mark.parametrize("kind", [name for name in MALFORMED_VERSIONS if name != "lone surrogate"])
def test_a_hostile_name_is_refused_or_a_name(shared_visitor: Visitor, shared_world: World, kind: str) -> None:
    before = snapshot()
    sent = {"name": MALFORMED_VERSIONS[kind], "kind": "password", "password": "x"}
    answer = shared_visitor.post("/credentials", sent)
    assert answer.status_code in (422, 409)  # no worker has published a key in this world
    assert snapshot() == before


def test_a_viewer_and_a_narrow_token_get_nowhere_near(visitor: Visitor, world: World, keys: sealing.Keys) -> None:
    credential_id = add()
    viewer = Visitor(visitor.client.application.test_client())
    viewer.sign_in("vic")
    for path in ("/credentials", "/credentials/new", f"/credentials/{credential_id}/replace"):
        assert viewer.get(path).status_code == 403
    for path in ("/credentials", f"/credentials/{credential_id}/replace", f"/credentials/{credential_id}/remove"):
        assert viewer.post(path).status_code == 403
    assert "/credentials" not in viewer.get("/hosts").text


def test_the_secret_is_nowhere_but_sealed(
    visitor: Visitor,
    world: World,
    keys: sealing.Keys,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In no row of any table, no log, no answer, no payload, and not in the page of a crash in the middle of it."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    rung: list[object] = []
    monkeypatch.setattr(queue, "_enqueue", lambda _connection, *args: rung.append(args))
    password = {"name": "p", "kind": "password", "password": PASSWORD}
    key = {"name": "k", "kind": "key", "key": KEY, "passphrase": secrets.PASSPHRASE}
    said += [visitor.post("/credentials", sent).text for sent in (password, key, password)]
    api = "/api/v1/credentials"
    for sent in (password, key | {"name": "k2"}):
        said.append(visitor.client.post(api, json=sent, headers=world.bearer()).text)
        said.append(visitor.client.post(api, json=sent | {"banana": 1}, headers=world.bearer()).text)
    said.append(visitor.client.get(api, headers=world.bearer()).text)
    for one in queries.credentials():
        said.append(visitor.get(f"/credentials/{one.id}/replace").text)
        hosts.add_host(NewHost(f"h-{one.id}", "h", f"/srv/{one.id}", Reach.SSH, credential=one.name), ADMIN)
    for path in ("/credentials", "/hosts", "/hosts/new", "/hosts/6", "/hosts/6/edit"):
        said.append(visitor.get(path).text)
    checks.ask(6, ADMIN)
    assert rung
    said.append(repr(checks.waiting_checks()))

    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(credentials, "audit_each", crash)
    crashed = visitor.post("/credentials", password | {"name": "crash"})
    assert crashed.status_code == 500
    said.append(crashed.text)
    db.session.rollback()
    said += [caplog.text, repr(rung), repr(snapshot())]
    assert "ZeroDivisionError" in caplog.text
    assert len(queries.credentials()) == 3
    for word in (PASSWORD, MIDDLE, secrets.PASSPHRASE):
        for text in said:
            assert word not in text
    url = current_app.config["SETTINGS"].database_url
    if url.startswith("sqlite"):
        database = Path(url.removeprefix("sqlite:///"))
        for file in database.parent.glob(f"{database.name}*"):
            for word in (PASSWORD, MIDDLE, secrets.PASSPHRASE):
                assert word.encode() not in file.read_bytes(), file
