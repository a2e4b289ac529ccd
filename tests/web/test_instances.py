"""Instances: which are offered to be recorded, and how long the reason of a failed one stays."""

from __future__ import annotations

import pytest

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.operations import rollouts as operations
from deployer.operations import steps
from deployer.queries import catalog, fleet
from deployer.queries.paging import Slice
from deployer.web import instances
from tests.web.conftest import Visitor
from tests.world import ADMIN, World


def option(world: World, host: str) -> str:
    return f'<option value="{world.hosts[host]}">{host} '


def test_only_hosts_without_the_service_are_offered(visitor: Visitor, world: World) -> None:
    page = visitor.get(f"/services/{world.service}/instances/new").text
    assert option(world, "web-5") in page
    for host in ("web-1", "web-2", "web-3", "web-4"):
        assert option(world, host) not in page
    assert "are listed" not in page


def test_a_list_that_is_cut_says_so(visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "LISTED", Slice(limit=2))
    page = visitor.get(f"/services/{world.other}/instances/new").text
    assert option(world, "web-2") in page
    assert option(world, "web-3") not in page
    words = "The first 2 are listed; use the API or the command line for the others."
    assert page.count(words) == 1  # of four hosts, but of the one version
    page = visitor.get(f"/services/{world.service}/instances/new").text
    assert page.count(words) == 1  # of nine versions, but of the one host


def test_a_service_that_runs_everywhere_says_what_is_missing(visitor: Visitor, world: World) -> None:
    data = {"host_id": world.hosts["web-5"], "version_id": world.versions["1.1.0"], "port": "8000"}
    assert visitor.post(f"/services/{world.service}/instances", data).status_code == 303
    page = visitor.get(f"/services/{world.service}/instances/new").text
    assert "An instance needs a version, and a host that does not run the service yet." in page


def begin(world: World, target: str) -> int:
    command = StartRollout(
        world.service,
        world.versions["1.1.0"],
        Action.UPGRADE,
        world.versions[target],
        HostChoice(everyone=False, ids=(world.hosts["web-1"],)),
    )
    return operations.start(command, ADMIN).rollout_id


def test_the_reason_of_a_failed_instance_outlasts_a_later_rollout_that_never_started(world: World) -> None:
    first = begin(world, "1.2.0")
    [step] = steps.take_steps(first, "a worker", 1)
    steps.settle_step(step, steps.Settlement(ok=False, running="1.1.0", error="It crashed."))
    operations.cancel(begin(world, "1.8.0"), ADMIN)
    page = fleet.instances(world.service, fleet.InstanceFilter(search="web-1"), Slice())
    assert [(row.error, row.error_rollout_id) for row in page.rows] == [("It crashed.", first)]
    assert catalog.service(world.service).failed == 1


def test_the_reason_goes_with_the_next_success(world: World) -> None:
    [step] = steps.take_steps(begin(world, "1.2.0"), "a worker", 1)
    steps.settle_step(step, steps.Settlement(ok=False, running="1.1.0", error="It crashed."))
    [step] = steps.take_steps(begin(world, "1.2.0"), "a worker", 1)
    steps.settle_step(step, steps.Settlement(ok=True, running="1.2.0"))
    page = fleet.instances(world.service, fleet.InstanceFilter(search="web-1"), Slice())
    assert [(row.error, row.error_rollout_id) for row in page.rows] == [("", None)]
    assert catalog.service(world.service).failed == 0
