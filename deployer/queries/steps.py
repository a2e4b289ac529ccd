"""What pages and the API show of a rollout's steps: one for each host."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, case, select
from sqlalchemy.orm import aliased

from deployer.domain.errors import no_such
from deployer.domain.status import StepState
from deployer.extensions import db
from deployer.models import Host, Instance, Step, StepLog, Version
from deployer.queries.paging import Slice, sliced

LOG_LINES = 200  # of one step, the newest


@dataclass(frozen=True)
class StepRow:
    """One host's part of a rollout; ``lines`` are the newest of its log."""

    id: int
    rollout_id: int
    instance_id: int
    host_id: int
    hostname: str
    state: StepState
    wave: int
    attempt: int
    phase: str
    failure: str
    error: str
    from_label: str
    to_label: str
    running_label: str | None
    started: datetime | None
    finished: datetime | None
    rev: int
    lines: tuple[str, ...] = ()
    cut: bool = False


def steps(
    rollout_id: int, with_lines: bool = True, part: Slice | None = None, state: StepState | None = None
) -> list[StepRow]:
    """The steps of a rollout, or those in a state, by wave and hostname."""
    query = _steps(rollout_id)
    if state is not None:
        query = query.where(Step.state == state)
    if part is not None:
        query = sliced(query, part)
    rows = [StepRow(*row) for row in db.session.execute(query)]
    return _with_lines(rows) if with_lines else rows


def waiting(rollout_id: int) -> list[StepRow]:
    """The steps that have not started, in the order in which they would."""
    query = _steps(rollout_id).where(Step.state == StepState.QUEUED).order_by(None).order_by(Step.wave, Step.id)
    return [StepRow(*row) for row in db.session.execute(query)]


def step(rollout_id: int, step_id: int) -> StepRow:
    """One step of this very rollout, with its lines. Raises NotFound."""
    row = db.session.execute(_steps(rollout_id).where(Step.id == step_id)).one_or_none()
    if row is None:
        raise no_such("step", step_id)
    return _with_lines([StepRow(*row)])[0]


def telling_step(rollout_id: int) -> int | None:
    """The step whose log says most: one that failed, else one that runs, else any."""
    rank = case((Step.state == StepState.FAILED, 0), (Step.state == StepState.RUNNING, 1), else_=2)
    query = select(Step.id).where(Step.rollout_id == rollout_id).order_by(rank, Step.id).limit(1)
    return db.session.execute(query).scalar_one_or_none()


@cache
def _all_steps() -> Select[Any]:
    source, target, found = aliased(Version), aliased(Version), aliased(Version)
    columns: list[Any] = [
        Step.id,
        Step.rollout_id,
        Step.instance_id,
        Instance.host_id,
        Host.hostname,
        Step.state,
        Step.wave,
        Step.attempt,
        Step.phase,
        Step.failure,
        Step.error,
        source.label,
        target.label,
        found.label,
        Step.started,
        Step.finished,
        Step.rev,
    ]
    return (
        select(*columns)
        .join(Instance, Instance.id == Step.instance_id)
        .join(Host, Host.id == Instance.host_id)
        .join(source, source.id == Step.from_version_id)
        .join(target, target.id == Step.to_version_id)
        .outerjoin(found, found.id == Step.running_version_id)
        .order_by(Step.wave, Host.hostname)
    )


def _steps(rollout_id: int) -> Select[Any]:
    return _all_steps().where(Step.rollout_id == rollout_id)


def _with_lines(rows: list[StepRow]) -> list[StepRow]:
    lines = _lines([row.id for row in rows])
    found = []
    for row in rows:
        said = list(lines.get(row.id, ()))
        found.append(replace(row, lines=tuple(said[-LOG_LINES:]), cut=len(said) > LOG_LINES))
    return found


def _lines(step_ids: list[int]) -> dict[int, deque[str]]:
    """The last of what each step said, in every attempt: what a lost worker said last is what one wants to read. One
    more than are shown; however much there is, no more is held at a time than a few batches."""
    found: dict[int, deque[str]] = {}
    query = select(StepLog.step_id, StepLog.lines).where(StepLog.step_id.in_(step_ids)).order_by(StepLog.id)
    for step_id, text in db.session.execute(query, execution_options={"yield_per": 20}):
        found.setdefault(step_id, deque(maxlen=LOG_LINES + 1)).extend(text.split("\n"))
    return found
