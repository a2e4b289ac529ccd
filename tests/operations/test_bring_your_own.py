"""What a team brings: services, hosts, instances; and what is refused because it would do harm later."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from deployer.domain.access import Actor, Role
from deployer.domain.errors import Conflict, Forbidden
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.status import Action
from deployer.operations import catalog, fleet, rollouts
from deployer.operations.catalog import NewService
from deployer.operations.fleet import NewHost
from deployer.queries import catalog as queries
from tests.world import ADMIN, World

CHANGED = NewService("orders", ReleaseRecipe(restart=("systemctl", "restart", "orders")), language="Go")


def test_a_recipe_can_be_mended(app: Flask, world: World) -> None:
    catalog.change_service(world.service, CHANGED, ADMIN)
    row = queries.service(world.service)
    assert (row.recipe, row.language, row.updated_by) == (CHANGED.recipe, "Go", ADMIN.name)


def test_a_service_keeps_its_name_because_its_directories_are_named_after_it(app: Flask, world: World) -> None:
    with pytest.raises(Conflict) as refused:
        catalog.change_service(world.service, replace(CHANGED, name="payments"), ADMIN)
    assert refused.value.field == "name"


def test_a_recipe_does_not_change_in_the_middle_of_a_rollout(app: Flask, world: World) -> None:
    versions = world.versions
    choice = HostChoice(everyone=True)
    rollouts.start(StartRollout(world.service, versions["1.1.0"], Action.UPGRADE, versions["1.2.0"], choice), ADMIN)
    with pytest.raises(Conflict):
        catalog.change_service(world.service, CHANGED, ADMIN)
    assert queries.service(world.service).recipe == ReleaseRecipe(restart=("true",))


def test_a_deployer_does_not_change_services(app: Flask, world: World) -> None:
    with pytest.raises(Forbidden):
        catalog.change_service(world.service, CHANGED, Actor("dan", Role.DEPLOYER))


def test_two_hosts_do_not_share_a_directory(app: Flask, world: World) -> None:
    with pytest.raises(Conflict) as refused:
        fleet.add_host(NewHost("web-9", "127.0.0.9", "/srv/web-1"), ADMIN)
    assert refused.value.field == "directory"
