"""Every change of state there is, in one table. What is not in it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from deployer.domain.errors import N_, Conflict
from deployer.domain.status import RolloutState as R
from deployer.domain.status import StepState as S


class StepEvent(StrEnum):
    """What can happen to a step."""

    TAKE = "take"  # a worker swaps it to running and holds its lease
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"  # before it started


class RolloutEvent(StrEnum):
    """What can happen to a rollout."""

    START = "start"  # its first step was taken
    CANCEL = "cancel"  # a person asked for its end
    END_WELL = "end_well"  # the last step ended, all succeeded
    END_FAILED = "end_failed"  # the last step ended, at least one failed
    END_CANCELLED = "end_cancelled"  # the last step ended, some never started and none failed


STEP: Mapping[tuple[S, StepEvent], S] = {
    (S.QUEUED, StepEvent.TAKE): S.RUNNING,
    (S.QUEUED, StepEvent.CANCEL): S.CANCELLED,
    (S.RUNNING, StepEvent.SUCCEED): S.SUCCEEDED,
    (S.RUNNING, StepEvent.FAIL): S.FAILED,
}

ROLLOUT: Mapping[tuple[R, RolloutEvent], R] = {
    (R.QUEUED, RolloutEvent.START): R.RUNNING,
    (R.QUEUED, RolloutEvent.CANCEL): R.CANCELLING,
    (R.RUNNING, RolloutEvent.CANCEL): R.CANCELLING,
    (R.RUNNING, RolloutEvent.END_WELL): R.SUCCEEDED,
    (R.RUNNING, RolloutEvent.END_FAILED): R.FAILED,
    (R.CANCELLING, RolloutEvent.END_WELL): R.SUCCEEDED,
    (R.CANCELLING, RolloutEvent.END_FAILED): R.FAILED,
    (R.CANCELLING, RolloutEvent.END_CANCELLED): R.CANCELLED,
}


def advance_step(state: S, event: StepEvent) -> S:
    """The state after ``event``. Raises :class:`Conflict` when a step in ``state`` cannot meet it."""
    try:
        return STEP[state, event]
    except KeyError:
        raise Conflict(
            N_("This step cannot do that now."), N_("It is %(state)s."), facts={"state": state.value}
        ) from None


def advance_rollout(state: R, event: RolloutEvent) -> R:
    """The state after ``event``. Raises :class:`Conflict` when a rollout in ``state`` cannot meet it."""
    try:
        return ROLLOUT[state, event]
    except KeyError:
        raise Conflict(
            N_("This rollout cannot do that now."),
            N_("It is %(state)s. Reload the page to see where it stands."),
            facts={"state": state.value},
        ) from None


def ending(states: set[S]) -> RolloutEvent | None:
    """How a rollout whose steps are in ``states`` ends, or None while one of them still can change."""
    if not all(state.is_final for state in states):
        return None
    if S.FAILED in states:
        return RolloutEvent.END_FAILED
    return RolloutEvent.END_CANCELLED if S.CANCELLED in states else RolloutEvent.END_WELL
