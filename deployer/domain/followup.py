"""Rollouts that follow another one: take back what it did, or try its failed hosts again.

Each host is judged by itself, because each may have moved on since; what is left out is told with the reason. A host
that is asked for by name and cannot be had refuses the whole request (S11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from deployer.domain.errors import N_, Conflict, Invalid, Note
from deployer.domain.hosts import MAX_HOSTS, HostChoice
from deployer.domain.plan import (
    Holder,
    InstanceSnapshot,
    PlannedStep,
    RolloutPlan,
    VersionSnapshot,
    is_ahead,
)
from deployer.domain.status import TOUCHED, Action, BuildStatus, Evidence, Origin, RolloutState, StepState
from deployer.domain.strategy import Strategy

# An undo goes to all hosts at once and on to the last of them, whatever happens on the others.
UNDO_STRATEGY = Strategy(stop_after=MAX_HOSTS)


@dataclass(frozen=True)
class DoneStep:
    """A step of the earlier rollout, and how its instance stands now: ``runs`` is recorded there, by ``evidence``.

    ``later`` is the rollout that has worked on it last since then, if one has: what it did is not ours to take back.
    """

    state: StepState
    from_version: VersionSnapshot
    to_version: VersionSnapshot
    instance: InstanceSnapshot
    runs: VersionSnapshot
    evidence: Evidence
    later: int | None = None


@dataclass(frozen=True)
class Earlier:
    """The rollout that is followed."""

    id: int
    state: RolloutState
    action: Action
    source: VersionSnapshot
    target: VersionSnapshot
    strategy: Strategy
    steps: tuple[DoneStep, ...]


@dataclass(frozen=True)
class LeftOut:
    """A host that the rollout had to do with, and why it cannot be part of what follows."""

    host_id: int
    hostname: str
    why: Note


@dataclass(frozen=True)
class FollowUp:
    """What would happen, over every host that it can happen to; and the hosts that it cannot happen to."""

    plan: RolloutPlan
    left_out: tuple[LeftOut, ...]


def plan_undo(earlier: Earlier, hosts: HostChoice) -> FollowUp:
    """Take each host that the rollout touched back to its own previous version.

    Raises :class:`Conflict` when there is nothing to take back, or a host in ``hosts`` cannot be; :class:`Invalid` when
    one is none of the rollout's.
    """
    action = Action.REVERT if earlier.action is Action.UPGRADE else Action.UPGRADE
    touched = [step for step in earlier.steps if step.state in TOUCHED]
    chosen, left_out = _judged(touched, hosts, _why_no_undo, N_("There is nothing to undo."))
    steps = [
        _planned(step, step.to_version, step.from_version, UNDO_STRATEGY, position, len(chosen))
        for position, step in enumerate(chosen)
    ]
    plan = RolloutPlan(action, earlier.target, earlier.source, UNDO_STRATEGY, tuple(steps), Origin.UNDO, earlier.id)
    return FollowUp(plan, left_out)


def plan_retry(earlier: Earlier, hosts: HostChoice) -> FollowUp:
    """Try the hosts that failed again. Raises as :func:`plan_undo`, and while the rollout goes on."""
    if not earlier.state.is_final:
        raise Conflict(
            N_("This rollout has not ended yet."),
            N_("It is %(state)s. Wait for its end or cancel it, then try its failed hosts again."),
            facts={"state": earlier.state.value},
        )
    failed = [step for step in earlier.steps if step.state is StepState.FAILED]

    def why_not(step: DoneStep) -> Note | None:
        return _why_no_retry(earlier.action, step)

    chosen, left_out = _judged(failed, hosts, why_not, N_("There is no failed host to try again."))
    steps = [
        _planned(
            step,
            step.from_version if step.runs.id == step.to_version.id else step.runs,
            step.to_version,
            earlier.strategy,
            position,
            len(chosen),
        )
        for position, step in enumerate(chosen)
    ]
    plan = RolloutPlan(
        earlier.action, earlier.source, earlier.target, earlier.strategy, tuple(steps), Origin.RETRY, earlier.id
    )
    return FollowUp(plan, left_out)


def _why_not_at_all(step: DoneStep) -> Note | None:
    """What keeps any rollout from following this one on a host."""
    if step.instance.holder:
        return _held(step.instance.holder)
    if step.later is not None:
        facts = {"rollout": step.later, "version": step.runs.label}
        return Note(N_("Rollout #%(rollout)s has worked on it since; it runs %(version)s."), facts)
    return None


def _why_no_undo(step: DoneStep) -> Note | None:
    if why := _why_not_at_all(step):
        return why
    unsure = step.evidence is Evidence.UNVERIFIED
    if step.runs.id == step.from_version.id and not unsure:
        return Note(N_("It runs %(version)s again."), {"version": step.runs.label})
    if step.runs.id not in (step.to_version.id, step.from_version.id):
        return Note(N_("It runs %(version)s by now."), {"version": step.runs.label})
    # Not whether it has an artifact: the release is most likely still on the host, and nobody can say from here.
    if step.from_version.status is not BuildStatus.SUCCESS:
        facts = {"version": step.from_version.label}
        return Note(N_("The build of %(version)s, to which it would go back, did not succeed."), facts)
    return None


def _why_no_retry(action: Action, step: DoneStep) -> Note | None:
    if why := _why_not_at_all(step):
        return why
    if step.to_version.status is not BuildStatus.SUCCESS or not step.to_version.deployable:  # S7
        return Note(N_("%(version)s cannot be put on a host any more."), {"version": step.to_version.label})
    there = step.runs.id == step.to_version.id
    if there and step.evidence is not Evidence.UNVERIFIED and not step.instance.status.is_failed:
        return Note(N_("It runs %(version)s by now."), {"version": step.runs.label})
    if not there and not is_ahead(action, step.runs.id, step.to_version.id):
        facts = {"version": step.runs.label, "target": step.to_version.label}
        return Note(N_("It runs %(version)s by now, and %(target)s lies in the other direction."), facts)
    return None


def _held(holder: Holder) -> Note:
    return Note(N_("Rollout #%(rollout)s of %(by)s holds it."), {"rollout": holder.rollout_id, "by": holder.by})


def _judged(
    steps: Sequence[DoneStep], hosts: HostChoice, why_not: Callable[[DoneStep], Note | None], nothing: str
) -> tuple[list[DoneStep], tuple[LeftOut, ...]]:
    steps = sorted(steps, key=lambda step: step.instance.id)
    reasons = {step.instance.host_id: why_not(step) for step in steps}
    left_out = tuple(
        LeftOut(step.instance.host_id, step.instance.hostname, why)
        for step in steps
        if (why := reasons[step.instance.host_id])
    )
    if hosts.everyone:
        chosen = [step for step in steps if not reasons[step.instance.host_id]]
        if not chosen:
            hint = N_("Nothing was started. The page of the rollout says what became of each of its hosts.")
            raise Conflict(nothing, hint, "host", notes=_told(left_out))
        return chosen, left_out
    for host_id in hosts.ids:
        if host_id not in reasons:
            raise Invalid(
                N_("Please send the right host ids."),
                N_("Host %(id)s has no part in this. Reload the page and choose again."),
                "host",
                {"id": host_id},
            )
    refused = [one for one in left_out if one.host_id in hosts.ids]
    if refused:
        raise Conflict(
            N_("Not every chosen host can be part of this."),
            N_("Nothing was started. Leave these hosts out, then try again."),
            "host",
            notes=_told(refused),
        )
    return [step for step in steps if step.instance.host_id in hosts.ids], left_out


def _told(left_out: Sequence[LeftOut], most: int = 5) -> tuple[Note, ...]:
    return tuple(replace(one.why, about=one.hostname) for one in left_out[:most])


def _planned(
    step: DoneStep, source: VersionSnapshot, target: VersionSnapshot, strategy: Strategy, position: int, hosts: int
) -> PlannedStep:
    one = step.instance
    wave = strategy.wave_of(position, hosts)
    return PlannedStep(one.id, one.host_id, one.hostname, one.status, source, target, wave)
