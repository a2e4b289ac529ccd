"""S3, S6, S7, S9, S11: may this rollout start, and what will it do?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deployer.domain.errors import Conflict, Invalid, NotFound, Refused
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import (
    Barrier,
    Holder,
    InstanceSnapshot,
    StartRollout,
    VersionSnapshot,
    crossed,
    parse_action,
    plan_rollout,
)
from deployer.domain.status import Action, BuildStatus, InstanceStatus

OLD = VersionSnapshot(1, "1.0", BuildStatus.SUCCESS, deployable=True)
NOW = VersionSnapshot(2, "1.1", BuildStatus.SUCCESS, deployable=True)
NEW = VersionSnapshot(3, "1.2", BuildStatus.SUCCESS, deployable=True)
HOLDER = Holder(7, "ann", Action.UPGRADE, "1.2", datetime(2026, 1, 1, tzinfo=UTC))
INSTANCES = (
    InstanceSnapshot(12, 102, "web-2", InstanceStatus.RUNNING),
    InstanceSnapshot(11, 101, "web-1", InstanceStatus.UPGRADE_FAILED),
)
HELD = InstanceSnapshot(13, 103, "web-3", InstanceStatus.UPGRADING, HOLDER)


def command(action: Action = Action.UPGRADE, hosts: HostChoice | None = None) -> StartRollout:
    return StartRollout(1, NOW.id, action, 3, hosts or HostChoice(everyone=True))


def test_all_means_every_instance_on_the_source_version_in_id_order() -> None:
    plan = plan_rollout(command(), NOW, NEW, INSTANCES)
    assert plan.instance_ids == [11, 12]
    assert plan.host_ids == [101, 102]


def test_only_the_chosen_hosts_are_planned() -> None:
    plan = plan_rollout(command(hosts=HostChoice(everyone=False, ids=(102,))), NOW, NEW, INSTANCES)
    assert plan.host_ids == [102]


def test_a_revert_may_go_to_a_lower_id() -> None:
    assert plan_rollout(command(Action.REVERT), NOW, OLD, INSTANCES).target is OLD


@pytest.mark.parametrize(
    ("action", "source", "target"),
    [
        pytest.param(Action.UPGRADE, NOW, OLD, id="lower on upgrade"),
        pytest.param(Action.REVERT, NOW, NEW, id="higher on revert"),
        pytest.param(Action.UPGRADE, NOW, NOW, id="same on upgrade"),
        pytest.param(Action.REVERT, NOW, NOW, id="same on revert"),
    ],
)
def test_the_wrong_direction_is_a_conflict(action: Action, source: VersionSnapshot, target: VersionSnapshot) -> None:
    with pytest.raises(Conflict) as refused:
        plan_rollout(command(action), source, target, INSTANCES)
    assert refused.value.field == "dest_version"


@pytest.mark.parametrize("status", [status for status in BuildStatus if status is not BuildStatus.SUCCESS])
def test_a_version_whose_build_did_not_succeed_is_no_target(status: BuildStatus) -> None:
    with pytest.raises(Conflict) as refused:
        plan_rollout(command(), NOW, VersionSnapshot(3, "1.2", status, deployable=True), INSTANCES)
    assert status.name.lower() in str(refused.value)


def test_a_version_without_the_artifact_that_its_recipe_needs_is_no_target() -> None:
    with pytest.raises(Conflict, match="no artifact"):
        plan_rollout(command(), NOW, VersionSnapshot(3, "1.2", BuildStatus.SUCCESS, deployable=False), INSTANCES)


def test_an_unknown_source_or_target_does_not_exist() -> None:
    with pytest.raises(NotFound):
        plan_rollout(command(), None, NEW, INSTANCES)
    with pytest.raises(NotFound) as refused:
        plan_rollout(command(), NOW, None, INSTANCES)
    assert refused.value.field == "dest_version"


def test_one_stranger_among_the_hosts_refuses_the_whole_request() -> None:
    with pytest.raises(Invalid) as refused:
        plan_rollout(command(hosts=HostChoice(everyone=False, ids=(101, 999))), NOW, NEW, INSTANCES)
    assert refused.value.field == "host"
    assert "999" in str(refused.value)


def test_a_version_that_no_host_runs_has_nothing_to_roll_out() -> None:
    with pytest.raises(Invalid):
        plan_rollout(command(), NOW, NEW, ())


@pytest.mark.parametrize(
    "hosts", [HostChoice(everyone=True), HostChoice(everyone=False, ids=(103, 101))], ids=["all", "named"]
)
def test_one_locked_host_refuses_all_and_names_who_holds_it(hosts: HostChoice) -> None:
    with pytest.raises(Conflict) as refused:
        plan_rollout(command(hosts=hosts), NOW, NEW, (*INSTANCES, HELD))
    text = str(refused.value)
    assert refused.value.field == "host"
    assert all(word in text for word in ("web-3", "ann", "#7", "upgrade", "1.2", "2026-01-01"))


def test_of_many_locked_hosts_a_few_are_named_and_the_rest_counted() -> None:
    many = tuple(InstanceSnapshot(n, n, f"web-{n}", InstanceStatus.UPGRADING, HOLDER) for n in range(1, 9))
    with pytest.raises(Conflict) as refused:
        plan_rollout(command(), NOW, NEW, many)
    assert "web-1 " in str(refused.value)
    assert "+3" in str(refused.value)


@pytest.mark.parametrize("text", ["UPGRADE", "delete", "explode", "", " upgrade", "upgrade\n", "Revert"])
def test_only_the_two_actions_exist(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_action(text)
    assert refused.value.field == "action"


def test_a_refusal_reads_as_one_sentence_after_the_other() -> None:
    assert str(Refused("What.", "Do %(x)s.", facts={"x": "this"})) == "What. Do this."


@pytest.mark.parametrize(
    ("source", "target", "labels"),
    [
        pytest.param(5, 1, ["v4", "v2"], id="every one on the way, newest first"),
        pytest.param(4, 3, ["v4"], id="the one that is left"),
        pytest.param(3, 2, [], id="the one that is reached keeps"),
        pytest.param(1, 5, [], id="upwards there is none"),
    ],
)
def test_a_revert_crosses_what_it_leaves_behind(source: int, target: int, labels: list[str]) -> None:
    barriers = [Barrier(2, "v2", "why"), Barrier(4, "v4", "why")]
    assert [barrier.label for barrier in crossed([(source, target)], barriers)] == labels
