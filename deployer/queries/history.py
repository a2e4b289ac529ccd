"""Rollouts of the past and of now, found by what somebody remembers of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, select

from deployer.domain.status import Action, RolloutState, StepState
from deployer.extensions import db
from deployer.models import Host, Instance, Rollout, Service, Step
from deployer.models.columns import among
from deployer.queries import rollouts
from deployer.queries.paging import Page, Slice, contains, count_of, midnight, seen_of, sliced
from deployer.queries.rollouts import RolloutRow

NAMED = 3  # hosts of a rollout that are named; the rest are counted


class Ending(StrEnum):
    """How a rollout ended, or that it has not."""

    MOVING = "moving"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def states(self) -> list[RolloutState]:
        """The states that are meant."""
        if self is Ending.MOVING:
            return [state for state in RolloutState if not state.is_final]
        return [RolloutState(self)]


@dataclass(frozen=True)
class RolloutFilter:
    """Which rollouts are wanted; None and "" mean any. ``first`` and ``last`` are days (UTC) on which they began."""

    service_id: int | None = None
    by: str = ""
    action: Action | None = None
    ending: Ending | None = None
    host: str = ""  # part of a name of one of its hosts
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Told:
    """A rollout and the first by name of its hosts that were not left out."""

    rollout: RolloutRow
    hosts: tuple[str, ...]

    @property
    def more(self) -> int:
        """How many hosts that were not left out are not named."""
        return self.rollout.hosts - self.rollout.skipped - len(self.hosts)


def history(part: Slice, wanted: RolloutFilter, seen: frozenset[int] | None = None) -> Page[Told]:
    """The rollouts that match, newest first, of the services that are ``seen`` (None: all)."""
    ids = seen_of(_ids(wanted), Rollout.service_id, seen)
    count = count_of(ids)
    part = part.within(count)
    # The page's ids first: what a rollout is told by is gathered from its steps, and only these are to be read.
    found = list(db.session.execute(sliced(ids.order_by(Rollout.id.desc()), part)).scalars())
    named = _named(found)
    return Page(tuple(Told(row, named.get(row.id, ())) for row in rollouts.some(found)), count, part)


def services(seen: frozenset[int] | None = None) -> list[tuple[int, str]]:
    """The services that can be filtered by, by name."""
    query = select(Service.id, Service.name).order_by(Service.name)
    return [(id_, name) for id_, name in db.session.execute(seen_of(query, Service.id, seen))]


def people(seen: frozenset[int] | None = None) -> list[str]:
    """Who ever started a rollout of the services that are seen, by name."""
    query = seen_of(select(Rollout.created_by).distinct().order_by(Rollout.created_by), Rollout.service_id, seen)
    return list(db.session.execute(query).scalars())


def _ids(wanted: RolloutFilter) -> Select[Any]:
    query = select(Rollout.id)
    if wanted.service_id is not None:
        query = query.where(Rollout.service_id == wanted.service_id)
    if wanted.by:
        query = query.where(Rollout.created_by == wanted.by)
    if wanted.action is not None:
        query = query.where(Rollout.action == wanted.action)
    if wanted.ending is not None:
        query = query.where(Rollout.state.in_(wanted.ending.states))
    if wanted.first is not None:
        query = query.where(Rollout.created >= midnight(wanted.first))
    if wanted.last is not None:
        query = query.where(Rollout.created < midnight(wanted.last + timedelta(days=1)))
    if wanted.host:
        there = (
            select(Step.rollout_id)
            .join(Instance, Instance.id == Step.instance_id)
            .join(Host, Host.id == Instance.host_id)
            .where(Host.hostname.ilike(contains(wanted.host), escape="\\"))
        )
        query = query.where(Rollout.id.in_(there))
    return query


def _named(rollout_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    place = func.row_number().over(partition_by=Step.rollout_id, order_by=Host.hostname).label("place")
    ranked = (
        select(Step.rollout_id, Host.hostname, place)
        .join(Instance, Instance.id == Step.instance_id)
        .join(Host, Host.id == Instance.host_id)
        .where(among(db.session(), Step.rollout_id, rollout_ids), Step.state != StepState.SKIPPED)
        .subquery()
    )
    query = select(ranked.c.rollout_id, ranked.c.hostname).where(ranked.c.place <= NAMED).order_by(ranked.c.place)
    found: dict[int, tuple[str, ...]] = {}
    for rollout_id, hostname in db.session.execute(query):
        found[rollout_id] = (*found.get(rollout_id, ()), hostname)
    return found
