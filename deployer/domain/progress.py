"""What a rollout does next, by how its steps stand: go on, wait at the gate, stop, or end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from deployer.domain.status import OnFailure, RolloutState, StepState
from deployer.domain.strategy import Strategy
from deployer.domain.transitions import RolloutEvent

# Of one step: three tries, each of which takes one attempt to do it and one to look after it. A host that costs a
# worker each time must not do so for ever.
MAX_ATTEMPTS = 6


@dataclass(frozen=True)
class Standing:
    """A rollout as it stands. ``steps`` counts them by wave and state."""

    state: RolloutState
    strategy: Strategy
    wave: int
    steps: Mapping[tuple[int, StepState], int] = field(default_factory=dict)

    def tally(self, wave: int | None = None) -> Counter[StepState]:
        """How many steps are in each state: of ``wave``, or of all."""
        found: Counter[StepState] = Counter()
        for (one, state), count in self.steps.items():
            if count and wave in (None, one):
                found[state] += count
        return found

    @property
    def last_wave(self) -> int:
        """The number of the last wave."""
        return max((wave for (wave, _), count in self.steps.items() if count), default=self.wave)


@dataclass(frozen=True)
class Move:
    """One thing to do now: meet ``event``, if there is one, and be in ``wave`` afterwards. ``at_gate``: from now on it
    waits because it was started so, and not because somebody paused it."""

    event: RolloutEvent | None
    wave: int
    at_gate: bool = False


def next_move(standing: Standing) -> Move | None:
    """What is due, or None when the rollout has to wait for a step or a person. To be asked again after each move."""
    if standing.state.is_final:
        return None
    whole = standing.tally()
    waits, runs = whole[StepState.QUEUED], whole[StepState.RUNNING]
    if not waits and not runs:
        return Move(_ending(whole), standing.wave)
    # Checked before the wave: the failure that is one too many may be the last of its wave.
    stoppable = standing.state in (RolloutState.RUNNING, RolloutState.PAUSED)
    if waits and stoppable and whole[StepState.FAILED] >= standing.strategy.stop_after:
        return Move(RolloutEvent.STOP, standing.wave)
    here = standing.tally(standing.wave)
    if here[StepState.QUEUED] or here[StepState.RUNNING] or standing.wave >= standing.last_wave:
        return None
    # Straight to where there is work: of ten thousand waves of one host each, a person may have left out all but one.
    ahead = min(wave for (wave, state), count in standing.steps.items() if count and not state.is_final)
    at_gate = standing.wave == 1 and standing.strategy.pause_after_first
    holds = at_gate and standing.state is RolloutState.RUNNING
    return Move(RolloutEvent.HOLD if holds else None, ahead, at_gate)


def failed_too_often(standing: Standing) -> bool:
    """Whether a rollout that ends now is to be undone without being asked: not one that a person ended."""
    failed = standing.tally()[StepState.FAILED]
    return (
        standing.strategy.on_failure is OnFailure.UNDO
        and standing.state is not RolloutState.CANCELLING
        and failed >= standing.strategy.stop_after
    )


def may_requeue(state: RolloutState, attempt: int) -> bool:
    """Whether a step whose worker was lost, and whose host shows that nothing happened, is tried once more."""
    going_on = state.starts_steps or state is RolloutState.PAUSED
    return going_on and attempt < MAX_ATTEMPTS


def _ending(tally: Mapping[StepState, int]) -> RolloutEvent:
    if tally[StepState.FAILED]:
        return RolloutEvent.END_FAILED
    return RolloutEvent.END_CANCELLED if tally[StepState.CANCELLED] else RolloutEvent.END_WELL
