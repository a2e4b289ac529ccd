"""The token of a plan: it is carried out as it was shown, once, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from deployer.domain.access import Actor, Role
from deployer.domain.errors import Refused
from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.status import BuildStatus
from deployer.domain.token import PlanChanged
from deployer.extensions import db
from deployer.models import Rollout
from deployer.operations import catalog, fleet, rollouts
from deployer.operations.catalog import Build, NewService
from deployer.operations.fleet import NewInstance
from deployer.operations.followups import retry, undo
from deployer.queries import plans
from tests.operations.upgrades import ALL, command, fail, only, start, strategy, succeed, take
from tests.world import ADMIN, World, snapshot

BEN = Actor("ben", Role.DEPLOYER)


def test_a_plan_that_still_holds_is_carried_out_as_shown(app: Flask, world: World) -> None:
    asked = command(world, strategy("1"))
    shown = plans.rollout(asked)
    accepted = rollouts.start(replace(asked, token=shown.token), ADMIN)
    assert list(accepted.host_ids) == shown.plan.host_ids


def test_what_changed_elsewhere_does_not_spoil_a_plan(app: Flask, world: World) -> None:
    asked = command(world, hosts=only(world, "web-1"))
    token = plans.rollout(asked).token
    succeed(*take(start(world, hosts=only(world, "web-2"))))
    assert rollouts.start(replace(asked, token=token), ADMIN).host_ids == (world.hosts["web-1"],)


def _upgraded(world: World) -> None:
    succeed(*take(start(world, hosts=only(world, "web-2"))))


def _new_host(world: World) -> None:
    fleet.record_instance(world.service, NewInstance(world.hosts["web-5"], world.versions["1.1.0"], 8000), ADMIN)


def _recipe(world: World) -> None:
    catalog.change_service(world.service, NewService("orders", ReleaseRecipe(restart=("other",))), ADMIN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(_upgraded, "web-2: It runs 1.2.0 now", id="a host was upgraded"),
        pytest.param(_new_host, "web-5: It runs 1.1.0 now", id="a host came to it"),
        pytest.param(_recipe, "orders: The service or its recipe was changed", id="the recipe"),
    ],
)
def test_a_stale_plan_is_refused_and_what_changed_is_named(
    app: Flask, world: World, change: Callable[[World], None], words: str
) -> None:
    asked = command(world)
    token = plans.rollout(asked).token
    change(world)
    before = snapshot()
    with pytest.raises(PlanChanged) as refused:
        rollouts.start(replace(asked, token=token), ADMIN)
    assert words in str(refused.value)
    assert refused.value.field == "plan"
    assert snapshot() == before


def test_a_plan_whose_hosts_are_all_gone_has_changed_and_is_not_malformed(app: Flask, world: World) -> None:
    asked = command(world, hosts=only(world, "web-1"))
    token = plans.rollout(asked).token
    succeed(*take(start(world, hosts=only(world, "web-1"))))
    with pytest.raises(PlanChanged, match=r"web-1: It runs 1\.2\.0 now"):
        rollouts.start(replace(asked, token=token), ADMIN)


def test_a_plan_whose_target_turned_bad_is_refused(app: Flask, world: World) -> None:
    asked = command(world)
    token = plans.rollout(asked).token
    catalog.record_build(world.service, world.versions["1.2.0"], Build(BuildStatus.FAILED), ADMIN)
    before = snapshot()
    with pytest.raises(Refused):
        rollouts.start(replace(asked, token=token), ADMIN)
    assert snapshot() == before


def test_the_token_of_another_choice_is_refused(app: Flask, world: World) -> None:
    token = plans.rollout(command(world, strategy("1"))).token
    before = snapshot()
    for other in (command(world, strategy("2")), command(world, target="1.8.0"), command(world, strategy("1", stop=1))):
        with pytest.raises(PlanChanged, match="another choice"):
            rollouts.start(replace(other, token=token), ADMIN)
        assert snapshot() == before


def test_the_same_plan_sent_twice_by_one_person_is_one_rollout(app: Flask, world: World) -> None:
    asked = command(world)
    asked = replace(asked, token=plans.rollout(asked).token)
    first = rollouts.start(asked, ADMIN)
    before = snapshot()["rollout"]
    assert rollouts.start(asked, ADMIN) == first
    succeed(*take(first.rollout_id))
    assert rollouts.start(asked, ADMIN) == first  # even when it has ended by now
    assert [row[0] for row in snapshot()["rollout"]] == [row[0] for row in before]


def test_the_same_plan_sent_by_another_person_finds_the_hosts_locked(app: Flask, world: World) -> None:
    asked = command(world)
    asked = replace(asked, token=plans.rollout(asked).token)
    rollouts.start(asked, ADMIN)
    before = snapshot()
    with pytest.raises(Refused):
        rollouts.start(asked, BEN)
    assert snapshot() == before


@pytest.mark.parametrize("follow", [undo, retry], ids=["undo", "retry"])
def test_a_follow_up_is_carried_out_as_shown_once(app: Flask, world: World, follow: Callable[..., object]) -> None:
    rollout_id = start(world)
    (succeed if follow is undo else fail)(*take(rollout_id))
    preview = plans.undo if follow is undo else plans.retry
    token = preview(rollout_id, ALL).token
    first = follow(rollout_id, ALL, ADMIN, token)
    assert follow(rollout_id, ALL, ADMIN, token).accepted == first.accepted  # type: ignore[attr-defined]
    assert len(db.session.scalars(db.select(Rollout.id)).all()) == 2


@pytest.mark.parametrize("follow", [undo, retry], ids=["undo", "retry"])
def test_a_stale_follow_up_is_refused_and_what_changed_is_named(
    app: Flask, world: World, follow: Callable[..., object]
) -> None:
    rollout_id = start(world)
    source = "1.2.0" if follow is undo else "1.1.0"
    (succeed if follow is undo else fail)(*take(rollout_id))
    token = (plans.undo if follow is undo else plans.retry)(rollout_id, ALL).token
    succeed(*take(start(world, hosts=only(world, "web-3"), source=source, target="1.8.0")))
    before = snapshot()
    with pytest.raises(PlanChanged, match=r"web-3: It runs 1\.8\.0 now"):
        follow(rollout_id, ALL, ADMIN, token)
    assert snapshot() == before
