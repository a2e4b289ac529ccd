"""A rollout goes on, whoever brings it about: the worker that settles a step, or the person who cancels or resumes.

Part of the caller's transaction, which holds the service's row.
"""

from __future__ import annotations

from sqlalchemy import func, select

from deployer.domain.errors import Conflict
from deployer.domain.followup import plan_undo
from deployer.domain.hosts import HostChoice
from deployer.domain.progress import Standing, failed_too_often, next_move
from deployer.domain.status import StepState
from deployer.domain.transitions import RolloutEvent, advance_rollout
from deployer.extensions import db
from deployer.models import Rollout, Service, Step, claims, snapshots
from deployer.models.columns import utc_now
from deployer.operations.accepting import accept
from deployer.operations.transaction import Of, audit


def go_on(rollout: Rollout, rev: int, *, undo: bool = True) -> None:
    """Let ``rollout`` do everything that is due. When it ends and is to be undone, that begins here, unless ``undo`` is
    False: then the caller sees to it."""
    rollout.rev = rev
    while move := next_move(standing := _standing(rollout)):
        rollout.wave = move.wave
        if move.at_gate:
            rollout.paused_by = ""
        if move.event is None:
            continue
        meet(rollout, move.event)
        if move.event is RolloutEvent.STOP:
            never_started = end_queued(rollout, StepState.CANCELLED, rev)
            audit(
                rollout.created_by,
                "stop",
                "rollout",
                rollout.id,
                Of(rollout.service_id, rollout.id),
                never_started=never_started,
            )
        if rollout.state.is_final:
            rollout.finished = utc_now()
            if undo and (rollout.undo_by or failed_too_often(standing)):
                _undo(rollout, rev)


def meet(rollout: Rollout, event: RolloutEvent) -> None:
    """Change the state by the table. Raises :class:`Conflict` for what is not in it."""
    rollout.state = advance_rollout(rollout.state, event)


def end_queued(rollout: Rollout, state: StepState, rev: int, instance_ids: list[int] | None = None) -> int:
    """End the steps that have not started; their instances are free again. Returns how many."""
    db.session.flush()
    return claims.end_queued(db.session(), rollout.id, state, utc_now(), rev, instance_ids)


def _standing(rollout: Rollout) -> Standing:
    db.session.flush()
    rows = db.session.execute(
        select(Step.wave, Step.state, func.count()).where(Step.rollout_id == rollout.id).group_by(Step.wave, Step.state)
    )
    steps = {(wave, state): count for wave, state, count in rows}
    return Standing(rollout.state, snapshots.strategy(rollout), rollout.wave, steps)


def _undo(rollout: Rollout, rev: int) -> None:
    session = db.session()
    session.flush()
    service = session.get_one(Service, rollout.service_id)
    by = rollout.undo_by or rollout.created_by
    try:
        plan = plan_undo(snapshots.earlier(session, rollout, service), HostChoice(everyone=True)).plan
    except Conflict as nothing:  # every host is back already, or another rollout has it
        audit(by, "no_undo", "rollout", rollout.id, Of(rollout.service_id, rollout.id), nothing=str(nothing))
        return
    accept(service, plan, rev, by=by)
