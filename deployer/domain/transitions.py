"""Every change of state there is, in one table. What is not in it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from deployer.domain.errors import N_, Conflict
from deployer.domain.status import Evidence
from deployer.domain.status import InstanceStatus as I
from deployer.domain.status import RolloutState as R
from deployer.domain.status import StepState as S


class StepEvent(StrEnum):
    """What can happen to a step."""

    TAKE = "take"  # a worker swaps it to running and holds its lease
    TAKE_OVER = "take_over"  # its lease ran out: another worker holds it now, under the next fencing number
    REQUEUE = "requeue"  # its worker was lost, and the host shows that nothing has happened yet
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"  # before it started, because the rollout ends
    SKIP = "skip"  # before it started, because a person left its host out


class InstanceEvent(StrEnum):
    """What a person can do to an instance outside of any rollout."""

    SEE = "see"  # they know that the last rollout failed there, and that what runs is what is recorded


class RolloutEvent(StrEnum):
    """What can happen to a rollout."""

    START = "start"  # its first step was taken
    PAUSE = "pause"  # a person asked it to wait
    HOLD = "hold"  # its first wave is done, and it was to wait then
    RESUME = "resume"  # a person asked it to go on
    CANCEL = "cancel"  # a person asked for its end
    STOP = "stop"  # as many hosts have failed as it may lose
    END_WELL = "end_well"  # the last step ended, all succeeded or were left out
    END_FAILED = "end_failed"  # the last step ended, at least one failed
    END_CANCELLED = "end_cancelled"  # the last step ended, some never started and none failed


STEP: Mapping[tuple[S, StepEvent], S] = {
    (S.QUEUED, StepEvent.TAKE): S.RUNNING,
    (S.QUEUED, StepEvent.CANCEL): S.CANCELLED,
    (S.QUEUED, StepEvent.SKIP): S.SKIPPED,
    (S.RUNNING, StepEvent.TAKE_OVER): S.RUNNING,
    (S.RUNNING, StepEvent.REQUEUE): S.QUEUED,
    (S.RUNNING, StepEvent.SUCCEED): S.SUCCEEDED,
    (S.RUNNING, StepEvent.FAIL): S.FAILED,
}

ROLLOUT: Mapping[tuple[R, RolloutEvent], R] = {
    (R.QUEUED, RolloutEvent.START): R.RUNNING,
    (R.QUEUED, RolloutEvent.PAUSE): R.PAUSED,
    (R.QUEUED, RolloutEvent.CANCEL): R.CANCELLING,
    (R.RUNNING, RolloutEvent.PAUSE): R.PAUSED,
    (R.RUNNING, RolloutEvent.HOLD): R.PAUSED,
    (R.RUNNING, RolloutEvent.CANCEL): R.CANCELLING,
    (R.RUNNING, RolloutEvent.STOP): R.STOPPING,
    (R.RUNNING, RolloutEvent.END_WELL): R.SUCCEEDED,
    (R.RUNNING, RolloutEvent.END_FAILED): R.FAILED,
    (R.PAUSED, RolloutEvent.RESUME): R.RUNNING,
    (R.PAUSED, RolloutEvent.CANCEL): R.CANCELLING,
    (R.PAUSED, RolloutEvent.STOP): R.STOPPING,
    (R.PAUSED, RolloutEvent.END_WELL): R.SUCCEEDED,
    (R.PAUSED, RolloutEvent.END_FAILED): R.FAILED,
    (R.CANCELLING, RolloutEvent.END_WELL): R.SUCCEEDED,
    (R.CANCELLING, RolloutEvent.END_FAILED): R.FAILED,
    (R.CANCELLING, RolloutEvent.END_CANCELLED): R.CANCELLED,
    (R.STOPPING, RolloutEvent.END_FAILED): R.FAILED,
}


# Nobody deploys on a host by this: of a failed installation or removal nothing is known to run.
INSTANCE: Mapping[tuple[I, InstanceEvent], I] = {
    (I.UPGRADE_FAILED, InstanceEvent.SEE): I.RUNNING,
    (I.REVERT_FAILED, InstanceEvent.SEE): I.RUNNING,
}


def advance_instance(status: I, event: InstanceEvent, evidence: Evidence) -> I:
    """The status after ``event``. Raises :class:`Conflict` when an instance in ``status`` cannot meet it, and unless it
    is known by ``evidence`` that what is recorded runs there."""
    try:
        after = INSTANCE[status, event]
    except KeyError:
        raise Conflict(
            N_("No failed rollout is left on this instance."), N_("Reload the page to see where it stands.")
        ) from None
    if evidence is not Evidence.CONFIRMED:
        raise Conflict(
            N_("Which version runs there has not been confirmed."), N_("Have the host asked first, then try again.")
        )
    return after


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
