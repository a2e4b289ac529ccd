"""S7, S8: what is offered as a target is exactly what an upgrade or a revert accepts."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from deployer.domain.recipe import ScriptRecipe
from deployer.domain.status import BuildStatus
from deployer.operations.catalog import Build, NewService, NewVersion, add_version, change_service
from tests.world import ADMIN, World

API = "/api/v1"


def offered(client: FlaskClient, world: World, action: str) -> dict[str, bool]:
    answer = client.get(API + world.url(action=action), headers=world.bearer())
    return {one["version"]: one["enable"] for one in answer.json["data"]}


@pytest.fixture
def bare(world: World) -> int:
    """A version that was built and has no artifact."""
    return add_version(world.service, NewVersion("1.9.0", Build(BuildStatus.SUCCESS)), ADMIN)


def test_a_version_without_the_artifact_that_the_recipe_needs_is_offered_disabled(
    client: FlaskClient, world: World, bare: int
) -> None:
    assert offered(client, world, "upgrade") == {
        "1.9.0": False,
        "1.8.0": True,
        "1.2.0": True,
        "1.1.0": False,
        "1.0.0": False,
    }
    body = {"dest_version": bare, "host": "all"}
    assert client.post(API + world.url(), json=body, headers=world.bearer()).status_code == 409


def test_a_script_needs_no_artifact(client: FlaskClient, world: World, bare: int) -> None:
    change_service(world.service, NewService("orders", ScriptRecipe(deploy=("true",), probe=("true",))), ADMIN)
    assert offered(client, world, "upgrade")["1.9.0"]
    assert offered(client, world, "revert") == {
        "1.9.0": False,
        "1.8.0": False,
        "1.2.0": False,
        "1.1.0": False,
        "1.0.0": True,
    }
    body = {"dest_version": bare, "host": "all"}
    assert client.post(API + world.url(), json=body, headers=world.bearer()).status_code == 202
