"""What a rollout does next: go on to the next wave, wait at the gate, stop, end, be undone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.domain.progress import MAX_ATTEMPTS, Move, Standing, failed_too_often, may_requeue, next_move
from deployer.domain.status import OnFailure, RolloutState, StepState
from deployer.domain.strategy import Strategy
from deployer.domain.transitions import ROLLOUT, RolloutEvent

Q, R, OK, BAD, OUT, SKIP = (
    StepState.QUEUED,
    StepState.RUNNING,
    StepState.SUCCEEDED,
    StepState.FAILED,
    StepState.CANCELLED,
    StepState.SKIPPED,
)
RUNNING = RolloutState.RUNNING
ONE_FAILURE = Strategy(stop_after=1)
GATE = Strategy(stop_after=9, pause_after_first=True)


def standing(
    *waves: Sequence[StepState], at: int = 1, state: RolloutState = RUNNING, strategy: Strategy | None = None
) -> Standing:
    """A rollout in wave ``at``, by the states of the steps of each wave."""
    steps = {(number, one): list(wave).count(one) for number, wave in enumerate(waves, start=1) for one in set(wave)}
    return Standing(state, strategy or Strategy(stop_after=9), at, steps)


@pytest.mark.parametrize(
    ("found", "move"),
    [
        pytest.param(standing([Q, Q]), None, id="steps wait to be taken"),
        pytest.param(standing([OK, R], [Q]), None, id="a step of this wave runs"),
        pytest.param(standing([OK, Q], [Q]), None, id="a step of this wave waits"),
        pytest.param(standing([OK, OK], [Q]), Move(None, 2), id="on to the next wave"),
        pytest.param(standing([OK, BAD], [Q]), Move(None, 2), id="on, fewer failures than it may lose"),
        pytest.param(standing([OK], [SKIP, SKIP], [Q], at=1), Move(None, 3), id="past a wave that is empty by now"),
        pytest.param(standing([OK], [SKIP, SKIP], [Q], at=2), Move(None, 3), id="and out of it again"),
        pytest.param(standing([OK], [R], at=2), None, id="the last wave runs"),
        pytest.param(
            standing([OK], [Q], strategy=GATE), Move(RolloutEvent.HOLD, 2, at_gate=True), id="wait at the gate"
        ),
        pytest.param(standing([OK], [OK], [Q], at=2, strategy=GATE), Move(None, 3), id="there is one gate only"),
        pytest.param(standing([OK], strategy=GATE), Move(RolloutEvent.END_WELL, 1), id="no gate behind the last wave"),
        pytest.param(
            standing([OK], [Q], state=RolloutState.PAUSED, strategy=GATE),
            Move(None, 2, at_gate=True),
            id="a person paused before: the gate holds all the same",
        ),
        pytest.param(
            standing([BAD, Q], [Q], strategy=ONE_FAILURE), Move(RolloutEvent.STOP, 1), id="stop within the wave"
        ),
        pytest.param(
            standing([BAD, R], [Q], strategy=ONE_FAILURE), Move(RolloutEvent.STOP, 1), id="stop while others run"
        ),
        pytest.param(
            standing([BAD], [Q], strategy=ONE_FAILURE), Move(RolloutEvent.STOP, 1), id="stop and not to the next wave"
        ),
        pytest.param(
            standing([BAD], [Q], strategy=Strategy(stop_after=1, pause_after_first=True)),
            Move(RolloutEvent.STOP, 1),
            id="stop and not wait at the gate",
        ),
        pytest.param(
            standing([BAD], [Q], state=RolloutState.PAUSED, strategy=ONE_FAILURE),
            Move(RolloutEvent.STOP, 1),
            id="stop though paused",
        ),
        pytest.param(standing([BAD, R], strategy=ONE_FAILURE), None, id="nothing is left to stop"),
        pytest.param(standing([BAD, BAD, Q], strategy=Strategy(stop_after=3)), None, id="one failure below the limit"),
        pytest.param(
            standing([BAD, BAD, BAD, Q], strategy=Strategy(stop_after=3)), Move(RolloutEvent.STOP, 1), id="at the limit"
        ),
        pytest.param(standing([BAD, R], [OUT], state=RolloutState.STOPPING), None, id="stopping, one still runs"),
        pytest.param(
            standing([BAD, OK], [OUT], state=RolloutState.STOPPING), Move(RolloutEvent.END_FAILED, 1), id="stopped"
        ),
        pytest.param(standing([OK, OK]), Move(RolloutEvent.END_WELL, 1), id="all well"),
        pytest.param(standing([OK, SKIP]), Move(RolloutEvent.END_WELL, 1), id="well, some left out"),
        pytest.param(standing([SKIP, SKIP]), Move(RolloutEvent.END_WELL, 1), id="all left out"),
        pytest.param(standing([OK, BAD]), Move(RolloutEvent.END_FAILED, 1), id="one failed"),
        pytest.param(
            standing([OK, OUT], state=RolloutState.CANCELLING), Move(RolloutEvent.END_CANCELLED, 1), id="cancelled"
        ),
        pytest.param(
            standing([BAD, OUT], state=RolloutState.CANCELLING),
            Move(RolloutEvent.END_FAILED, 1),
            id="cancelled, failed",
        ),
        pytest.param(
            standing([OK, OK], state=RolloutState.CANCELLING), Move(RolloutEvent.END_WELL, 1), id="cancelled too late"
        ),
    ],
)
def test_what_is_due_follows_from_how_the_steps_stand(found: Standing, move: Move | None) -> None:
    assert next_move(found) == move


@pytest.mark.parametrize("state", [state for state in RolloutState if state.is_final])
def test_nothing_is_due_once_it_has_ended(state: RolloutState) -> None:
    assert next_move(standing([OK], [OK], state=state)) is None


# How a state and its steps can go together: nothing waits once an end was asked for, nothing is left out before.
WAVES = st.lists(st.lists(st.sampled_from([Q, R, OK, BAD, SKIP]), min_size=1, max_size=3), min_size=1, max_size=4)


@given(WAVES, st.integers(1, 4), st.booleans())
def test_every_move_is_one_that_the_table_knows_and_they_come_to_an_end(
    waves: list[list[StepState]], stop_after: int, gate: bool
) -> None:
    found = standing(*waves, strategy=Strategy(stop_after=stop_after, pause_after_first=gate))
    for _ in range(2 * len(waves) + 4):
        move = next_move(found)
        if move is None:
            break
        assert move.wave >= found.wave
        steps = dict(found.steps)
        state = found.state
        if move.event is not None:
            state = ROLLOUT[state, move.event]
        if move.event is RolloutEvent.STOP:  # what waits is ended with it
            steps = {(wave, OUT if one is Q else one): count for (wave, one), count in sorted(steps.items())}
        found = Standing(state, found.strategy, move.wave, steps)
    else:
        pytest.fail("it never comes to rest")
    left = found.tally()
    if not left[Q] and not left[R]:
        assert found.state.is_final
    if found.state.starts_steps:
        assert left[BAD] < stop_after or not left[Q]
        here = found.tally(found.wave)
        assert here[Q] or here[R] or found.state.is_final


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(standing([BAD, OK], strategy=Strategy(stop_after=1, on_failure=OnFailure.UNDO)), True, id="undo"),
        pytest.param(standing([BAD, OK], strategy=ONE_FAILURE), False, id="it is to stay as it is"),
        pytest.param(
            standing([BAD, OK], strategy=Strategy(stop_after=2, on_failure=OnFailure.UNDO)), False, id="below the limit"
        ),
        pytest.param(
            standing(
                [BAD, OUT], state=RolloutState.CANCELLING, strategy=Strategy(stop_after=1, on_failure=OnFailure.UNDO)
            ),
            False,
            id="a person ended it",
        ),
        pytest.param(
            standing(
                [BAD, OUT], state=RolloutState.STOPPING, strategy=Strategy(stop_after=1, on_failure=OnFailure.UNDO)
            ),
            True,
            id="it stopped by itself",
        ),
        pytest.param(standing([OK], strategy=Strategy(on_failure=OnFailure.UNDO)), False, id="nothing failed"),
    ],
)
def test_it_is_undone_without_being_asked_only_after_its_own_failures(found: Standing, expected: bool) -> None:
    assert failed_too_often(found) is expected


@pytest.mark.parametrize(("state", "attempt"), list(itertools.product(RolloutState, range(1, MAX_ATTEMPTS + 3))))
def test_a_lost_step_is_tried_again_while_its_rollout_goes_on_and_not_too_often(
    state: RolloutState, attempt: int
) -> None:
    goes_on = state in (RolloutState.QUEUED, RolloutState.RUNNING, RolloutState.PAUSED)
    assert may_requeue(state, attempt) is (goes_on and attempt < MAX_ATTEMPTS)
