"""Every state meets every event: either the table says what follows, or it is refused."""

from __future__ import annotations

import itertools

import pytest

from deployer.domain.errors import Conflict
from deployer.domain.status import RolloutState, StepState
from deployer.domain.transitions import (
    ROLLOUT,
    STEP,
    RolloutEvent,
    StepEvent,
    advance_rollout,
    advance_step,
)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(StepState, StepEvent)))
def test_a_step_moves_only_as_the_table_says(state: StepState, event: StepEvent) -> None:
    if (state, event) in STEP:
        assert not state.is_final
        assert advance_step(state, event) is STEP[state, event]
    else:
        with pytest.raises(Conflict):
            advance_step(state, event)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(RolloutState, RolloutEvent)))
def test_a_rollout_moves_only_as_the_table_says(state: RolloutState, event: RolloutEvent) -> None:
    if (state, event) in ROLLOUT:
        assert not state.is_final
        assert advance_rollout(state, event) is ROLLOUT[state, event]
    else:
        with pytest.raises(Conflict):
            advance_rollout(state, event)


@pytest.mark.parametrize("state", [state for state in RolloutState if not state.is_final])
def test_from_every_state_that_is_no_end_an_end_can_be_reached(state: RolloutState) -> None:
    reached, before = {state}, set[RolloutState]()
    while reached != before:
        before = set(reached)
        reached |= {following for (at, _), following in ROLLOUT.items() if at in before}
    assert any(one.is_final for one in reached)
