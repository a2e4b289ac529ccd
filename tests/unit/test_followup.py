"""Undo and retry: each host is judged by itself, and goes where it itself has to go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deployer.domain.errors import Conflict, Invalid
from deployer.domain.followup import UNDO_STRATEGY, DoneStep, Earlier, plan_retry, plan_undo
from deployer.domain.hosts import MAX_HOSTS, HostChoice
from deployer.domain.plan import Holder, InstanceSnapshot, VersionSnapshot
from deployer.domain.status import Action, BuildStatus, Evidence, InstanceStatus, Origin, RolloutState, StepState
from deployer.domain.strategy import Strategy, WaveSize

V1, V2, V3, V4 = (VersionSnapshot(n, f"1.{n}", BuildStatus.SUCCESS, deployable=True) for n in (1, 2, 3, 4))
ALL = HostChoice(everyone=True)
HOLDER = Holder(9, "ann", Action.REVERT, "1.1", datetime(2026, 1, 1, tzinfo=UTC))
ONE_BY_ONE = Strategy(WaveSize(hosts=1), stop_after=2)
Y, UNSURE = Evidence.CONFIRMED, Evidence.UNVERIFIED


def done(
    number: int,
    state: StepState,
    runs: VersionSnapshot,
    *,
    back: VersionSnapshot = V2,
    to: VersionSnapshot = V3,
    evidence: Evidence = Y,
    holder: Holder | None = None,
    status: InstanceStatus = InstanceStatus.RUNNING,
) -> DoneStep:
    """A step on host 100 + ``number`` from ``back`` to ``to``, whose instance ``runs`` that now."""
    instance = InstanceSnapshot(number, 100 + number, f"web-{number}", status, holder)
    return DoneStep(state, back, to, instance, runs, evidence)


def earlier(*steps: DoneStep, action: Action = Action.UPGRADE) -> Earlier:
    return Earlier(7, RolloutState.FAILED, action, V2, V3, ONE_BY_ONE, steps)


def only(*host_ids: int) -> HostChoice:
    return HostChoice(everyone=False, ids=host_ids)


def test_an_undo_takes_each_host_of_a_mixed_fleet_back_to_its_own_version() -> None:
    found = plan_undo(
        earlier(
            done(3, StepState.SUCCEEDED, V3, back=V2),
            done(1, StepState.SUCCEEDED, V3, back=V1),
            done(2, StepState.FAILED, V3, back=V1),
        ),
        ALL,
    )
    assert [(one.instance_id, one.from_version, one.to_version) for one in found.plan.steps] == [
        (1, V3, V1),
        (2, V3, V1),
        (3, V3, V2),
    ]
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("action", "opposite"), [(Action.UPGRADE, Action.REVERT), (Action.REVERT, Action.UPGRADE)], ids=str
)
def test_an_undo_goes_the_other_way_to_all_hosts_at_once_and_names_what_it_undoes(
    action: Action, opposite: Action
) -> None:
    steps = [done(number, StepState.SUCCEEDED, V3) for number in (1, 2, 3)]
    plan = plan_undo(earlier(*steps, action=action), ALL).plan
    assert (plan.action, plan.source, plan.target) == (opposite, V3, V2)
    assert (plan.origin, plan.origin_id, plan.strategy) == (Origin.UNDO, 7, UNDO_STRATEGY)
    assert plan.strategy.stop_after == MAX_HOSTS
    assert len(plan.waves) == 1


@pytest.mark.parametrize(
    ("step", "words"),
    [
        pytest.param(done(1, StepState.SUCCEEDED, V3, holder=HOLDER), "#9 of ann", id="held"),
        pytest.param(done(1, StepState.FAILED, V2), "runs 1.2 again", id="back already"),
        pytest.param(done(1, StepState.SUCCEEDED, V4), "runs 1.4 by now", id="moved on"),
        pytest.param(done(1, StepState.SUCCEEDED, V1), "runs 1.1 by now", id="moved back further"),
        pytest.param(
            done(1, StepState.SUCCEEDED, V3, back=replace(V2, status=BuildStatus.FAILED)),
            "did not succeed",
            id="bad build",
        ),
        pytest.param(done(1, StepState.SUCCEEDED, V4, evidence=UNSURE), "runs 1.4 by now", id="moved on, perhaps"),
    ],
)
def test_a_host_that_cannot_be_undone_is_left_out_with_the_reason(step: DoneStep, words: str) -> None:
    good = done(2, StepState.SUCCEEDED, V3)
    found = plan_undo(earlier(step, good), ALL)
    assert found.plan.instance_ids == [2]
    ((out),) = found.left_out
    assert (out.host_id, out.hostname) == (101, "web-1")
    assert words in str(out.why)
    for chosen in (only(101), only(102, 101)):
        with pytest.raises(Conflict, match="web-1") as refused:
            plan_undo(earlier(step, good), chosen)
        assert refused.value.field == "host"
        assert words in str(refused.value)


def test_a_host_of_which_nobody_knows_what_it_runs_is_undone() -> None:
    unsure = done(1, StepState.FAILED, V2, evidence=UNSURE)
    assert plan_undo(earlier(unsure), ALL).plan.instance_ids == [1]


@pytest.mark.parametrize(
    "state", [state for state in StepState if state not in (StepState.SUCCEEDED, StepState.FAILED)]
)
def test_a_host_that_the_rollout_never_touched_has_no_part_in_an_undo(state: StepState) -> None:
    steps = earlier(done(1, state, V2), done(2, StepState.SUCCEEDED, V3))
    found = plan_undo(steps, ALL)
    assert (found.plan.instance_ids, found.left_out) == ([2], ())
    with pytest.raises(Invalid, match="101"):
        plan_undo(steps, only(102, 101))


def test_only_the_chosen_hosts_are_undone() -> None:
    steps = earlier(*(done(number, StepState.SUCCEEDED, V3) for number in (1, 2, 3)))
    assert plan_undo(steps, only(103, 101)).plan.host_ids == [101, 103]


def test_nothing_to_undo_says_why_for_each_host() -> None:
    with pytest.raises(Conflict, match="nothing to undo") as refused:
        plan_undo(earlier(done(1, StepState.FAILED, V2), done(2, StepState.SUCCEEDED, V4)), ALL)
    assert [note.about for note in refused.value.notes] == ["web-1", "web-2"]
    with pytest.raises(Conflict, match="nothing to undo"):
        plan_undo(earlier(done(1, StepState.SKIPPED, V2)), ALL)


def test_a_retry_takes_the_failed_hosts_only_by_the_strategy_of_the_rollout() -> None:
    found = plan_retry(
        earlier(
            done(1, StepState.SUCCEEDED, V3),
            done(2, StepState.FAILED, V2, status=InstanceStatus.UPGRADE_FAILED),
            done(3, StepState.CANCELLED, V2),
            done(4, StepState.FAILED, V1, back=V1, status=InstanceStatus.UPGRADE_FAILED),
        ),
        ALL,
    )
    plan = found.plan
    assert [(one.instance_id, one.from_version, one.to_version, one.wave) for one in plan.steps] == [
        (2, V2, V3, 1),
        (4, V1, V3, 2),
    ]
    assert (plan.action, plan.strategy, plan.origin, plan.origin_id) == (Action.UPGRADE, ONE_BY_ONE, Origin.RETRY, 7)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        pytest.param(done(1, StepState.FAILED, V2, holder=HOLDER), "#9 of ann", id="held"),
        pytest.param(done(1, StepState.FAILED, V3), "runs 1.3 by now", id="there by now"),
        pytest.param(done(1, StepState.FAILED, V4), "other direction", id="beyond it by now"),
    ],
)
def test_a_host_that_cannot_be_tried_again_is_left_out_with_the_reason(step: DoneStep, words: str) -> None:
    good = done(2, StepState.FAILED, V2)
    found = plan_retry(earlier(step, good), ALL)
    assert found.plan.instance_ids == [2]
    assert words in str(found.left_out[0].why)
    with pytest.raises(Conflict, match="web-1"):
        plan_retry(earlier(step, good), only(101))


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(done(1, StepState.FAILED, V3, evidence=UNSURE), id="nobody knows what runs"),
        pytest.param(done(1, StepState.FAILED, V3, status=InstanceStatus.UPGRADE_FAILED), id="it runs and is not well"),
    ],
)
def test_a_host_that_seems_to_be_there_but_failed_is_tried_again_from_where_it_came(step: DoneStep) -> None:
    (planned,) = plan_retry(earlier(step), ALL).plan.steps
    assert (planned.from_version, planned.to_version) == (V2, V3)


def test_a_host_that_has_moved_on_towards_the_target_is_tried_again_from_there() -> None:
    (planned,) = plan_retry(earlier(done(1, StepState.FAILED, V2, back=V1)), ALL).plan.steps
    assert (planned.from_version, planned.to_version) == (V2, V3)


@pytest.mark.parametrize(
    "target", [replace(V3, status=BuildStatus.FAILED), replace(V3, deployable=False)], ids=["bad build", "no artifact"]
)
def test_a_target_that_is_none_any_more_is_not_tried_again(target: VersionSnapshot) -> None:
    failed = replace(done(1, StepState.FAILED, V2), to_version=target)
    with pytest.raises(Conflict, match=f"{target.label} cannot be put on a host any more"):
        plan_retry(earlier(failed), ALL)


def test_a_retry_of_a_rollout_without_failures_is_refused() -> None:
    with pytest.raises(Conflict, match="no failed host"):
        plan_retry(earlier(done(1, StepState.SUCCEEDED, V3)), ALL)


@pytest.mark.parametrize("planner", [plan_undo, plan_retry], ids=["undo", "retry"])
def test_a_strange_host_refuses_the_whole_request(planner: object) -> None:
    steps = earlier(done(1, StepState.FAILED, V3, evidence=UNSURE))
    with pytest.raises(Invalid, match="999") as refused:
        planner(steps, only(101, 999))  # type: ignore[operator]
    assert refused.value.field == "host"


@pytest.mark.parametrize("state", [state for state in RolloutState if not state.is_final])
def test_a_rollout_that_goes_on_is_not_tried_again(state: RolloutState) -> None:
    with pytest.raises(Conflict, match=state.value):
        plan_retry(replace(earlier(done(1, StepState.FAILED, V2)), state=state), ALL)
