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
    ending,
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
def test_every_rollout_that_has_not_ended_can_end(state: RolloutState) -> None:
    assert any(
        following.is_final or following is not state for (before, _), following in ROLLOUT.items() if before is state
    )


@pytest.mark.parametrize(
    ("states", "event"),
    [
        ({StepState.SUCCEEDED}, RolloutEvent.END_WELL),
        ({StepState.SUCCEEDED, StepState.FAILED}, RolloutEvent.END_FAILED),
        ({StepState.CANCELLED, StepState.FAILED}, RolloutEvent.END_FAILED),
        ({StepState.CANCELLED, StepState.SUCCEEDED}, RolloutEvent.END_CANCELLED),
        ({StepState.SUCCEEDED, StepState.RUNNING}, None),
        ({StepState.FAILED, StepState.QUEUED}, None),
    ],
)
def test_a_rollout_ends_as_its_steps_did(states: set[StepState], event: RolloutEvent | None) -> None:
    assert ending(states) is event
