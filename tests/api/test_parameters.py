"""Parameters that a call does not know are refused everywhere: a misspelt filter must not silently widen anything."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.api.test_refusals import refuse
from tests.world import World

API = "/api/v1"


@pytest.fixture
def rollout(client: FlaskClient, world: World) -> str:
    """The path of a rollout that no worker has taken."""
    body = {"dest_version": world.versions["1.2.0"], "host": str(world.hosts["web-1"])}
    accepted = client.post(API + world.url(), json=body, headers=world.bearer())
    return f"{API}/rollouts/{accepted.json['data']['rollout_id']}"


def test_every_get_refuses_a_parameter_that_it_does_not_know(client: FlaskClient, world: World, rollout: str) -> None:
    service = f"{API}/services/{world.service}"
    version = f"{service}/versions/{world.versions['1.1.0']}"
    lists = [f"{API}/services", f"{service}/versions", f"{service}/instances", f"{API}/hosts", f"{API}/rollouts"]
    for path in [*lists, service, version, f"{version}/upgrade", rollout]:
        assert client.get(path, headers=world.bearer()).status_code == 200, path
        answer = client.get(path + "?banana=1", headers=world.bearer())
        assert answer.status_code == 417, path
        hint = answer.json["hint"]
        assert ("page" in hint) if path in lists else (hint == "Send none: this call takes no fields."), path


def test_a_page_beyond_the_end_is_empty_and_counts_right(client: FlaskClient, world: World) -> None:
    answer = client.get(f"{API}/hosts?page=99999", headers=world.bearer()).json
    assert answer == {"data": [], "count": 5, "code": 0}


@pytest.mark.parametrize("encoding", ["json", "data"])
def test_a_cancel_with_a_field_is_refused(client: FlaskClient, world: World, rollout: str, encoding: str) -> None:
    answer = refuse(client, world, 417, None, path=rollout + "/cancel", **{encoding: {"host": "all"}})
    assert answer["hint"] == "Send none: this call takes no fields."


@pytest.mark.parametrize("body", [{}, {"json": {}}, {"data": {}}], ids=["nothing", "json", "form"])
def test_a_cancel_without_fields_is_accepted(
    client: FlaskClient, world: World, rollout: str, body: dict[str, object]
) -> None:
    assert client.post(rollout + "/cancel", headers=world.bearer(), **body).status_code == 202
