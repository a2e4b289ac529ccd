"""What pages and the API show of rollouts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, case, func, or_, select
from sqlalchemy.orm import aliased

from deployer.domain.errors import no_such
from deployer.domain.status import Action, OnFailure, Origin, RolloutState, StepState
from deployer.domain.transitions import ROLLOUT, RolloutEvent
from deployer.extensions import db
from deployer.models import Rollout, Service, Step, Version
from deployer.queries.paging import Page, Slice, count_of, seen_of, sliced


@dataclass(frozen=True)
class Share:
    """How many of a rollout's hosts are in a state, and how many are in one before it."""

    state: StepState
    hosts: int
    before: int


# In which order hosts are counted: what needs a look first, what has not begun last.
ORDER = (
    StepState.FAILED,
    StepState.SUCCEEDED,
    StepState.RUNNING,
    StepState.QUEUED,
    StepState.CANCELLED,
    StepState.SKIPPED,
)


@dataclass(frozen=True)
class RolloutRow:
    """A rollout in one line: who, what, from → to, where, how it went. Counts are numbers of hosts. It is
    ``mixed`` when not all of them go from the one version to the other."""

    id: int
    service_id: int
    service: str
    action: Action
    from_label: str
    to_label: str
    state: RolloutState
    reason: str
    created: datetime
    created_by: str
    finished: datetime | None
    rev: int
    wave_size: str
    stop_after: int
    pause_after_first: bool
    on_failure: OnFailure
    wave: int
    paused_by: str
    undo_by: str
    origin: Origin | None
    origin_id: int | None
    crossed: str
    undone_by: int | None
    mixed: bool
    waves: int
    hosts: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    skipped: int

    @property
    def past(self) -> list[str]:
        """The labels of the marked versions that it went back past, the newest first."""
        return self.crossed.split()

    @property
    def done(self) -> int:
        """Hosts on which the work has come to an end, well or not."""
        return self.succeeded + self.failed

    @property
    def tally(self) -> list[Share]:
        """Its hosts by state, without the states that none is in."""
        found, before = [], 0
        for state in ORDER:
            hosts: int = getattr(self, state.value)
            if hosts:
                found.append(Share(state, hosts, before))
            before += hosts
        return found

    @property
    def may_cancel(self) -> bool:
        """Whether a cancel would be accepted now."""
        return (self.state, RolloutEvent.CANCEL) in ROLLOUT

    @property
    def may_pause(self) -> bool:
        """Whether a pause would be accepted now: there is something left to hold back."""
        return (self.state, RolloutEvent.PAUSE) in ROLLOUT and self.queued > 0

    @property
    def may_resume(self) -> bool:
        """Whether it waits for somebody to let it go on."""
        return (self.state, RolloutEvent.RESUME) in ROLLOUT

    @property
    def may_undo(self) -> bool:
        """Whether it has touched hosts. What can really be undone is judged by the hosts as they are."""
        return bool(self.succeeded or self.failed or self.running)

    @property
    def undo_waits(self) -> bool:
        """Whether an undo would be of all hosts, and begin only when those that are being worked on are done."""
        return self.running > 0

    @property
    def may_retry(self) -> bool:
        """Whether it has ended with failed hosts."""
        return self.state.is_final and self.failed > 0

    @property
    def at_gate(self) -> bool:
        """Whether it waits after its first wave, because it was started so."""
        return self.state is RolloutState.PAUSED and not self.paused_by

    @property
    def waits_for_worker(self) -> bool:
        """Whether there is something to do that nobody does."""
        return self.state.starts_steps and self.queued > 0 and self.running == 0

    @property
    def moving(self) -> bool:
        """Whether more can happen."""
        return not self.state.is_final


@cache  # to build it takes several times as long as to execute it
def _rows() -> Select[*tuple[Any, ...]]:
    """The rollouts whose ids are the parameter ``ids``. The steps of others are not counted."""
    only = Step.rollout_id.in_(bindparam("ids", expanding=True))
    source, target = aliased(Version), aliased(Version)
    tally = (
        select(
            Step.rollout_id.label("rollout_id"),
            func.count().label("hosts"),
            func.max(Step.wave).label("waves"),
            func.min(Step.from_version_id).label("from_low"),
            func.max(Step.from_version_id).label("from_high"),
            func.min(Step.to_version_id).label("to_low"),
            func.max(Step.to_version_id).label("to_high"),
            *(func.sum(case((Step.state == state, 1), else_=0)).label(state.value) for state in StepState),
        )
        .where(only)
        .group_by(Step.rollout_id)
        .subquery()
    )
    follower = aliased(Rollout)
    undone_by = (
        select(func.max(follower.id))
        .where(follower.origin_id == Rollout.id, follower.origin == Origin.UNDO)
        .correlate(Rollout)
        .scalar_subquery()
    )
    return (
        select(
            Rollout.id,
            Rollout.service_id,
            Service.name,
            Rollout.action,
            source.label,
            target.label,
            Rollout.state,
            Rollout.reason,
            Rollout.created,
            Rollout.created_by,
            Rollout.finished,
            Rollout.rev,
            Rollout.wave_size,
            Rollout.stop_after,
            Rollout.pause_after_first,
            Rollout.on_failure,
            Rollout.wave,
            Rollout.paused_by,
            Rollout.undo_by,
            Rollout.origin,
            Rollout.origin_id,
            Rollout.crossed,
            undone_by,
            or_(
                Rollout.from_version_id != tally.c.from_low,
                Rollout.from_version_id != tally.c.from_high,
                Rollout.to_version_id != tally.c.to_low,
                Rollout.to_version_id != tally.c.to_high,
            ),
            tally.c.waves,
            tally.c.hosts,
            *(tally.c[state.value] for state in StepState),
        )
        .join(Service, Service.id == Rollout.service_id)
        .join(source, source.id == Rollout.from_version_id)
        .join(target, target.id == Rollout.to_version_id)
        .join(tally, tally.c.rollout_id == Rollout.id)
        .order_by(Rollout.id.desc())
    )


def rollouts(part: Slice, service_id: int | None = None, seen: frozenset[int] | None = None) -> Page[RolloutRow]:
    """Rollouts, newest first, of the services that are ``seen`` (None: all) or one of them."""
    ids = seen_of(select(Rollout.id), Rollout.service_id, seen)
    if service_id is not None:
        ids = ids.where(Rollout.service_id == service_id)
    count = count_of(ids)
    part = part.within(count)
    found = db.session.execute(sliced(ids.order_by(Rollout.id.desc()), part)).scalars()
    return Page(tuple(some(found)), count, part)


def some(ids: Iterable[int]) -> list[RolloutRow]:
    """These rollouts, newest first; as many as a page shows."""
    return [RolloutRow(*row) for row in db.session.execute(_rows(), {"ids": list(ids)})]


def rollout(rollout_id: int) -> RolloutRow:
    """One rollout. Raises NotFound."""
    for row in some([rollout_id]):
        return row
    raise no_such("rollout", rollout_id)


def service_of(rollout_id: int) -> int | None:
    """Of which service a rollout is; None when there is no such rollout."""
    return db.session.execute(select(Rollout.service_id).where(Rollout.id == rollout_id)).scalar_one_or_none()


def cursor(rollout_id: int) -> int:
    """The revision of the rollout's service: all that an idle poll costs. Raises NotFound."""
    query = select(Service.rev).join(Rollout, Rollout.service_id == Service.id).where(Rollout.id == rollout_id)
    rev = db.session.execute(query).scalar_one_or_none()
    if rev is None:
        raise no_such("rollout", rollout_id)
    return rev


def followers(rollout_id: int) -> list[tuple[int, Origin]]:
    """The rollouts that undo this one or try its failed hosts again, oldest first."""
    query = select(Rollout.id, Rollout.origin).where(Rollout.origin_id == rollout_id).order_by(Rollout.id)
    return [(follower, origin) for follower, origin in db.session.execute(query) if origin]


def latest(service_ids: Iterable[int]) -> dict[int, RolloutRow]:
    """The newest rollout of each of the services that has one, by service id."""
    newest = select(func.max(Rollout.id)).where(Rollout.service_id.in_(list(service_ids))).group_by(Rollout.service_id)
    return {row.service_id: row for row in some(db.session.execute(newest).scalars())}


def under_way(service_ids: Iterable[int]) -> dict[int, list[RolloutRow]]:
    """The rollouts of each of the services that have not ended, newest first, by service id."""
    moving = [state for state in RolloutState if not state.is_final]
    ids = select(Rollout.id).where(Rollout.state.in_(moving), Rollout.service_id.in_(list(service_ids)))
    found: dict[int, list[RolloutRow]] = {}
    for row in some(db.session.execute(ids).scalars()):
        found.setdefault(row.service_id, []).append(row)
    return found
