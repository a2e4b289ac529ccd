"""What the page of a rollout shows of its waves."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, select

from deployer.domain.status import StepState
from deployer.extensions import db
from deployer.models import Step


@dataclass(frozen=True)
class WaveRow:
    """One wave in numbers of hosts: ``failed`` are among those ``done``, ``left`` will never be started. ``rev`` is the
    newest of its steps' revisions."""

    wave: int
    hosts: int
    done: int
    failed: int
    left: int
    rev: int


def waves(rollout_id: int, first: int, last: int) -> list[WaveRow]:
    """The waves from ``first`` to ``last``."""

    def tally(*states: StepState) -> ColumnElement[int]:
        return func.sum(case((Step.state.in_(states), 1), else_=0))

    query = (
        select(
            Step.wave,
            func.count(),
            tally(StepState.SUCCEEDED, StepState.FAILED),
            tally(StepState.FAILED),
            tally(StepState.CANCELLED, StepState.SKIPPED),
            func.max(Step.rev),
        )
        .where(Step.rollout_id == rollout_id, Step.wave.between(first, last))
        .group_by(Step.wave)
        .order_by(Step.wave)
    )
    return [WaveRow(*row) for row in db.session.execute(query)]
