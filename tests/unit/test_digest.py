"""The token of a plan: whatever changes what would happen changes it, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.domain.errors import Invalid
from deployer.domain.plan import PlannedStep, RolloutPlan, VersionSnapshot
from deployer.domain.status import Action, BuildStatus, InstanceStatus, OnFailure, Origin
from deployer.domain.strategy import EVERYTHING, Strategy, WaveSize
from deployer.domain.token import PlanToken, parse_plan_token

SIZES = st.one_of(
    st.just(EVERYTHING),
    st.integers(1, 3).map(lambda n: WaveSize(hosts=n)),
    st.integers(1, 3).map(lambda n: WaveSize(percent=n)),
)
STRATEGIES = st.builds(Strategy, SIZES, st.integers(1, 3), st.booleans(), st.sampled_from(OnFailure))
VERSIONS = st.integers(1, 4).map(lambda n: VersionSnapshot(n, f"1.{n}", BuildStatus.SUCCESS, deployable=True))
STEPS = st.builds(
    PlannedStep,
    st.integers(1, 3), st.integers(1, 3), st.just("web-1"), st.just(InstanceStatus.RUNNING), VERSIONS, VERSIONS,
    st.integers(1, 3),
)  # fmt: skip
PLANS = st.builds(
    RolloutPlan,
    st.sampled_from(Action), VERSIONS, VERSIONS, STRATEGIES, st.lists(STEPS, max_size=3).map(tuple),
    st.none() | st.sampled_from(Origin), st.none() | st.integers(1, 3),
)  # fmt: skip
RECIPES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2) | st.lists(st.text(max_size=2), max_size=2))


@given(PLANS, PLANS, RECIPES, RECIPES)
def test_two_plans_have_the_same_digest_only_if_they_do_the_same(
    one: RolloutPlan, other: RolloutPlan, recipe: Any, another: Any
) -> None:
    assert (one.digest(recipe) == other.digest(another)) is ((one, recipe) == (other, another))


@given(PLANS.filter(lambda plan: plan.steps), RECIPES, st.data())
def test_each_thing_that_is_changed_by_itself_changes_the_digest(
    plan: RolloutPlan, recipe: Any, data: st.DataObject
) -> None:
    step, *rest = plan.steps
    fields: dict[str, Any] = {
        "action": st.sampled_from(Action),
        "source": VERSIONS,
        "target": VERSIONS,
        "strategy": STRATEGIES,
        "origin": st.none() | st.sampled_from(Origin),
        "origin_id": st.none() | st.integers(1, 3),
        "steps": st.sampled_from(
            [
                (replace(step, instance_id=step.instance_id + 1), *rest),
                (replace(step, host_id=step.host_id + 1), *rest),
                (replace(step, wave=step.wave + 1), *rest),
                (replace(step, from_version=replace(step.from_version, id=99)), *rest),
                (replace(step, to_version=replace(step.to_version, id=99)), *rest),
                tuple(rest),
                (step, step, *rest),
            ]
        ),
    }
    name = data.draw(st.sampled_from(sorted(fields)))
    changed = replace(plan, **{name: data.draw(fields[name])})
    assert (changed.digest(recipe) == plan.digest(recipe)) is (changed == plan)


@given(PLANS, RECIPES)
def test_the_order_in_which_a_recipe_was_written_down_makes_no_difference(plan: RolloutPlan, recipe: Any) -> None:
    assert plan.digest(recipe) == plan.digest(dict(reversed(recipe.items())))


@given(STEPS, RECIPES)
def test_how_a_host_is_called_or_fares_makes_no_difference(step: PlannedStep, recipe: Any) -> None:
    plan = RolloutPlan(Action.UPGRADE, step.from_version, step.to_version, Strategy(), (step,))
    other = replace(step, hostname="renamed", status=InstanceStatus.UPGRADE_FAILED)
    assert plan.digest(recipe) == replace(plan, steps=(other,)).digest(recipe)


@given(st.integers(0, 10**18 - 1), st.binary(min_size=32, max_size=32))
def test_a_token_is_read_back_as_it_was_written(rev: int, digest: bytes) -> None:
    token = PlanToken(rev, digest.hex())
    assert parse_plan_token(str(token)) == token
    assert len(str(token)) <= 83


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "1-", f"-{'a' * 64}", f"1-{'a' * 63}", f"1-{'a' * 65}", f"1-{'A' * 64}", f"1-{'g' * 64}",
        f"01-{'a' * 64}", f"-1-{'a' * 64}", f"+1-{'a' * 64}", f"1-{'a' * 64}\n", f" 1-{'a' * 64}", f"1_0-{'a' * 64}",
        f"１-{'a' * 64}", f"{'9' * 19}-{'a' * 64}", f"1--{'a' * 64}", f"1-{'a' * 64}-1",
    ],
)  # fmt: skip
def test_nothing_else_is_a_token(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_plan_token(text)
    assert refused.value.field == "plan"
