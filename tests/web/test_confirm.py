"""Before something is taken away, a dialog, which is a page as well, says what comes of it; only its button does it."""

from __future__ import annotations

import json

import pytest

from deployer import sealing
from deployer.domain.reach import CredentialKind
from deployer.domain.status import Reach
from deployer.operations import credentials, host_keys, hosts
from deployer.operations.credentials import NewCredential
from deployer.operations.hosts import NewHost
from deployer.queries import credentials as credential_queries
from deployer.queries import hosts as queries
from tests.operations.test_host_keys import key
from tests.web.conftest import Visitor
from tests.web.test_credentials import add as add_password
from tests.web.test_credentials import keys
from tests.world import ADMIN, World, snapshot

__all__ = ["keys"]

FIRST, SECOND = host_keys.fingerprint(key(1)), host_keys.fingerprint(key(2))
HTMX = {"HX-Request": "true"}


@pytest.fixture
def host_id(world: World) -> int:
    """A host without services that has shown two keys."""
    added = hosts.add_host(NewHost("db-1", "192.0.2.9", "/srv", Reach.SSH), ADMIN)
    host_keys.offer(added, key(1))
    host_keys.offer(added, key(2))
    return added


def test_to_look_at_what_would_be_taken_away_changes_nothing(visitor: Visitor, host_id: int) -> None:
    file = credentials.add(NewCredential("here", CredentialKind.FILE, "/etc/deployer/key"), ADMIN)
    before = snapshot()
    page = visitor.get(f"/hosts/{host_id}/retire").text
    assert "Take db-1 out of use</button>" in page
    assert "Nothing is changed on the machine itself." in page
    page = visitor.get(f"/hosts/{host_id}/keys/forget", query_string={"fingerprint": FIRST}).text
    assert f'value="{FIRST}"' in page
    assert "Forget this key</button>" in page
    page = visitor.get(f"/credentials/{file}/remove").text
    assert "The file stays where it is: /etc/deployer/key" in page
    assert "Forget where the key file is</button>" in page
    assert snapshot() == before


def test_to_forget_the_only_approved_key_is_said_to_stop_deployments(visitor: Visitor, host_id: int) -> None:
    path = f"/hosts/{host_id}/keys/forget"
    host_keys.trust(host_id, FIRST, ADMIN)
    assert "Forget it and stop deploying to db-1" in visitor.get(path, query_string={"fingerprint": FIRST}).text
    assert "stop deploying" not in visitor.get(path, query_string={"fingerprint": SECOND}).text


def test_a_sealed_credential_is_said_to_lose_its_secret(visitor: Visitor, keys: sealing.Keys) -> None:
    page = visitor.get(f"/credentials/{add_password()}/remove").text
    assert "Remove it and destroy its secret</button>" in page
    assert "0 hosts use it." in page


def test_with_htmx_the_dialog_closes_and_what_was_said_is_done(
    visitor: Visitor, host_id: int, keys: sealing.Keys
) -> None:
    credential_id = add_password()
    posts = {
        f"/hosts/{host_id}/keys/forget": ({"fingerprint": FIRST}, f"/hosts/{host_id}"),
        f"/hosts/{host_id}/retire": ({}, f"/hosts/{host_id}"),
        f"/credentials/{credential_id}/remove": ({}, "/credentials"),
    }
    for path, (data, otherwise) in posts.items():
        answer = visitor.post(path, data, headers=HTMX)
        assert answer.status_code == 204, path
        assert json.loads(answer.headers["HX-Trigger"])["closeDialog"]["otherwise"] == otherwise
    assert [one.fingerprint for one in queries.keys(host_id)] == [SECOND]
    assert queries.host(host_id).retired is not None
    assert credential_queries.credentials() == []


def test_what_is_refused_is_said_in_the_dialog_and_nothing_is_lost(
    visitor: Visitor, world: World, keys: sealing.Keys
) -> None:
    credential_id = add_password()
    hosts.add_host(NewHost("db-2", "192.0.2.8", "/srv", Reach.SSH, credential="deploy"), ADMIN)
    host = f"/hosts/{world.hosts['web-1']}"
    before = snapshot()
    for path, data, status, words in (
        (f"{host}/retire", {}, 409, "Services run on this host: orders."),
        (f"/credentials/{credential_id}/remove", {}, 409, "Hosts use this credential: db-2."),
        (f"{host}/keys/forget", {"fingerprint": FIRST}, 422, "There is no host key SHA256:"),
    ):
        answer = visitor.post(path, data, headers=HTMX)
        assert (answer.status_code, 'id="confirm-form"' in answer.text) == (status, True), path
        assert words in answer.text, answer.text
    assert snapshot() == before


def test_what_is_not_there_cannot_be_taken_away(visitor: Visitor, host_id: int) -> None:
    paths = ["/hosts/999999/retire", "/hosts/999999/keys/forget", "/credentials/999999/remove"]
    for path in [*paths, f"/hosts/{host_id}/keys/forget?fingerprint=x", f"/hosts/{host_id}/keys/forget"]:
        assert visitor.get(path).status_code == 404, path
    for path in paths:
        assert visitor.post(path, {"fingerprint": FIRST}).status_code == 404, path


def test_a_viewer_is_not_asked(visitor: Visitor, host_id: int) -> None:
    viewer = Visitor(visitor.client.application.test_client())
    viewer.sign_in("vic")
    for path in (
        f"/hosts/{host_id}/retire",
        f"/hosts/{host_id}/keys/forget?fingerprint={FIRST}",
        "/credentials/1/remove",
    ):
        assert viewer.get(path).status_code == 403, path
