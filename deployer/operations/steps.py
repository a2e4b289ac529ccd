"""What a worker does with steps: take them, keep their leases, say how they go, settle them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, insert, or_, select

from deployer.domain.errors import N_
from deployer.domain.progress import may_requeue
from deployer.domain.status import Action, Evidence, InstanceStatus, RolloutState, StepState
from deployer.domain.transitions import RolloutEvent, StepEvent, advance_step
from deployer.extensions import db
from deployer.models import Rollout, Step, StepLog, claims, leases
from deployer.models.columns import Now, among
from deployer.operations.places import Place, places, version_id, versions
from deployer.operations.progress import go_on, meet
from deployer.operations.transaction import Of, audit_each, transaction

LEASE_SECONDS = 30.0


@dataclass(frozen=True)
class TakenStep:
    """A step that this worker holds, with all it needs to do it: nothing is read again while machines are touched."""

    step_id: int
    attempt: int
    rollout_id: int
    action: Action
    by: str
    place: Place
    from_label: str
    to_label: str
    artifact_sha256: str | None
    artifact_url: str


@dataclass(frozen=True)
class Settlement:
    """How a step ended. ``running`` is the label that the probe found, None when nothing usable answered.

    ``untouched``: the worker before this one was lost, and the host shows that it had not changed anything yet.
    ``kind`` is the name of the failure, ``error`` what happened and what to do.
    """

    ok: bool
    running: str | None
    error: str = ""
    untouched: bool = False
    kind: str = ""


@dataclass(frozen=True)
class Said:
    """What a step said since the last time: lines of its log, and its phase when that changed."""

    step: TakenStep
    lines: Sequence[str]
    phase: str | None


def take_steps(rollout_id: int, worker: str, slots: int, lease_seconds: float = LEASE_SECONDS) -> list[TakenStep]:
    """Take up to ``slots`` queued steps of the rollout's current wave. Empty when there are none to be taken now, or
    the rollout is unknown."""
    with transaction() as session:
        rollout = session.get(Rollout, rollout_id)
        if rollout is None:
            return []
        rev = claims.bump(session(), rollout.service_id)
        session.refresh(rollout)
        taken: dict[int, int] = {}
        if rollout.state.starts_steps:
            taken = leases.take(session(), rollout_id, rollout.wave, slots, worker, lease_seconds, rev)
        if not taken:
            session.rollback()  # nothing has changed, so no page has to be told
            return []
        if rollout.state is RolloutState.QUEUED:
            meet(rollout, RolloutEvent.START)
            rollout.rev = rev
        return _described(taken)


def keep_leases(held: dict[int, int], lease_seconds: float = LEASE_SECONDS) -> set[int]:
    """Renew the leases of ``held`` (step id → attempt). Returns those that are still ours."""
    with transaction() as session:
        return leases.renew(session(), held, lease_seconds)


def holders() -> list[str]:
    """The workers that hold steps, by the books."""
    rows = select(Step.worker).where(Step.state == StepState.RUNNING, Step.lease_until > Now()).distinct()
    return list(db.session.execute(rows).scalars())


def expire_leases(worker: str) -> int:
    """Let the leases of a worker that is known to be dead run out now. Returns how many it had."""
    with transaction() as session:
        return leases.expire(session(), worker)


def say(said: Iterable[Said]) -> None:
    """Write down what steps said, in one transaction; what comes from a step that is no longer ours is dropped."""
    alike: defaultdict[tuple[int, int, str | None], list[Said]] = defaultdict(list)
    for one in said:
        alike[one.step.place.service_id, one.step.attempt, one.phase].append(one)
    with transaction() as session:
        revs = _bumped(one.step for group in alike.values() for one in group)
        leases.lock(session(), [one.step.step_id for group in alike.values() for one in group])
        logs = []
        for (service_id, attempt, phase), group in alike.items():
            values = {} if phase is None else {"phase": phase}
            ids = [one.step.step_id for one in group]
            ours = leases.write(session(), ids, attempt, rev=revs[service_id], **values)
            logs += [
                {"step_id": one.step.step_id, "attempt": attempt, "lines": "\n".join(one.lines)}
                for one in group
                if one.lines and one.step.step_id in ours
            ]
        if logs:
            session.execute(insert(StepLog), logs)


def settle_steps(ends: Iterable[tuple[TakenStep, Settlement]]) -> set[int]:
    """Write the truth about each step: its end, the instance's version as probed, its status, the free claim; then let
    the rollouts go on. One transaction, in which each step is fenced by itself.

    Returns the ids of the steps that were written; the others are no longer the attempt's, and nothing of them changed.
    """
    alike: defaultdict[tuple[int, int, Settlement], list[TakenStep]] = defaultdict(list)
    for step, end in ends:
        alike[step.rollout_id, step.attempt, end].append(step)
    written: dict[int, TakenStep] = {}
    with transaction() as session:
        revs = _bumped(step for group in alike.values() for step in group)
        leases.lock(session(), [step.step_id for group in alike.values() for step in group])
        for (rollout_id, attempt, end), group in alike.items():
            rev = revs[group[0].place.service_id]
            again = end.untouched and may_requeue(session.get_one(Rollout, rollout_id).state, attempt)
            ours = _requeue(group, rev) if again else _settle(group, end, rev)
            written |= {step.step_id: step for step in group if step.step_id in ours}
        for rollout_id in {step.rollout_id for step in written.values()}:
            rollout = session.get_one(Rollout, rollout_id)
            go_on(rollout, revs[rollout.service_id])
    return set(written)


def settle_step(step: TakenStep, end: Settlement) -> bool:
    """As :func:`settle_steps`, for one."""
    return bool(settle_steps([(step, end)]))


def _settle(alike: list[TakenStep], end: Settlement, rev: int) -> set[int]:
    """One end for steps of one rollout and attempt: most end alike, and then a few statements do for all of them."""
    one = alike[0]
    found = version_id(one.place.service_id, end.running)
    error = end.error
    if end.running is not None and found is None:
        error = f"{error} " + N_("The host runs a version that is not recorded here: ") + end.running
    state = advance_step(StepState.RUNNING, StepEvent.SUCCEED if end.ok else StepEvent.FAIL)
    session = db.session()
    values = {"state": state, "failure": end.kind[:40], "error": error.strip(), "running_version_id": found}
    ours = leases.settle(session, _ids(alike), one.attempt, rev, **values)
    freed = [step for step in alike if step.step_id in ours]
    claims.release(
        session,
        [step.place.instance_id for step in freed],
        one.rollout_id,
        rev,
        status=InstanceStatus.RUNNING if end.ok else InstanceStatus.after_failed(one.action),
        evidence=Evidence.CONFIRMED if found is not None else Evidence.UNVERIFIED,
        version_id=found,
    )
    _record("settle", one.by, freed, state=state.value, running=end.running)
    return ours


def _requeue(alike: list[TakenStep], rev: int) -> set[int]:
    ours = leases.requeue(db.session(), _ids(alike), alike[0].attempt, rev)
    _record("requeue", alike[0].by, [step for step in alike if step.step_id in ours], attempt=alike[0].attempt)
    return ours


def _ids(taken: Iterable[TakenStep]) -> list[int]:
    return [step.step_id for step in taken]


def _record(verb: str, by: str, done: Iterable[TakenStep], **facts: object) -> None:
    done = list(done)
    each = {
        step.step_id: {
            "rollout": step.rollout_id,
            "service": step.place.service,
            "host": step.place.hostname,
            "source": step.from_label,
            **facts,
        }
        for step in done
    }
    if done:  # all of one rollout
        audit_each(by, verb, "step", each, Of(done[0].place.service_id, done[0].rollout_id))


def waiting_rollouts() -> list[int]:
    """Rollouts with steps that could be taken now or that no living worker has, oldest first: what to ring for after a
    silence."""
    takable = and_(
        Step.state == StepState.QUEUED,
        Step.wave == Rollout.wave,
        Rollout.state.in_([state for state in RolloutState if state.starts_steps]),
    )
    rows = (
        select(Step.rollout_id)
        .join(Rollout, Rollout.id == Step.rollout_id)
        .where(Rollout.state.in_([state for state in RolloutState if not state.is_final]))
        .where(or_(takable, and_(*leases.expired())))
        .distinct()
        .order_by(Step.rollout_id)
    )
    return list(db.session.execute(rows).scalars())


def take_over(worker: str, slots: int = 1_000, lease_seconds: float = LEASE_SECONDS) -> list[TakenStep]:
    """Take up to ``slots`` of the steps whose leases have run out, each with the next fencing number: who had them can
    no longer write."""
    lost = (
        select(Rollout.service_id)
        .join(Step, Step.rollout_id == Rollout.id)
        .where(*leases.expired())
        .distinct()
        .order_by(Rollout.service_id)
    )
    service_ids = list(db.session.execute(lost).scalars())
    if not service_ids:
        return []
    with transaction() as session:
        taken: dict[int, int] = {}
        for service_id in service_ids:
            rev = claims.bump(session(), service_id)
            taken |= leases.take_over(session(), service_id, worker, slots - len(taken), lease_seconds, rev)
        return _described(taken)


def _described(taken: dict[int, int]) -> list[TakenStep]:
    columns: tuple[Any, ...] = (Step.id, Step.instance_id, Step.from_version_id, Step.to_version_id)
    rows = db.session.execute(
        select(*columns, Rollout.id.label("rollout_id"), Rollout.action, Rollout.created_by)
        .join(Rollout, Rollout.id == Step.rollout_id)
        .where(among(db.session(), Step.id, taken))
        .order_by(Step.id)
    ).all()
    at = places(row.instance_id for row in rows)
    known = versions({id_ for row in rows for id_ in (row.from_version_id, row.to_version_id)})
    return [
        TakenStep(
            row.id,
            taken[row.id],
            row.rollout_id,
            row.action,
            row.created_by,
            at[row.instance_id],
            known[row.from_version_id].label,
            known[row.to_version_id].label,
            known[row.to_version_id].artifact_sha256,
            known[row.to_version_id].artifact_url,
        )
        for row in rows
    ]


def _bumped(taken: Iterable[TakenStep]) -> dict[int, int]:
    """The next revision of each service, in the one order in which all writers take them."""
    return {id_: claims.bump(db.session(), id_) for id_ in sorted({step.place.service_id for step in taken})}
