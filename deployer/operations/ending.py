"""The end of a rollout, whoever brings it about: the worker that settles the last step, or the person who cancels."""

from __future__ import annotations

from sqlalchemy import select

from deployer.domain.transitions import advance_rollout, ending
from deployer.extensions import db
from deployer.models import Rollout, Step
from deployer.models.columns import utc_now


def end_if_done(rollout: Rollout, rev: int) -> None:
    """End ``rollout`` if all its steps have ended. Part of the caller's transaction, which holds the service's row."""
    db.session.flush()
    states = set(db.session.execute(select(Step.state).where(Step.rollout_id == rollout.id).distinct()).scalars())
    rollout.rev = rev
    event = ending(states)
    if event is not None:
        rollout.state = advance_rollout(rollout.state, event)
        rollout.finished = utc_now()
