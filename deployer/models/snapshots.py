"""Rows as the domain wants to see them: for the operations that judge them and the queries that show the judgement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from deployer.domain.followup import DoneStep, Earlier
from deployer.domain.plan import Barrier, Holder, InstanceSnapshot, StartRollout, VersionSnapshot, crossed
from deployer.domain.recipe import Recipe, is_deployable, parse_recipe
from deployer.domain.status import TOUCHED, InstanceStatus
from deployer.domain.strategy import Strategy, parse_wave_size
from deployer.models.catalog import Service, Version
from deployer.models.columns import among
from deployer.models.fleet import Host, Instance
from deployer.models.rollouts import Rollout, Step

_INSTANCE: tuple[Any, ...] = (Instance.id, Instance.host_id, Instance.status)


def version(row: Version, recipe: Recipe) -> VersionSnapshot:
    """What the rules need to know of a version."""
    return VersionSnapshot(row.id, row.label, row.status, is_deployable(recipe, row.artifact_sha256))


def versions(session: Session, service: Service, ids: Iterable[int]) -> dict[int, VersionSnapshot]:
    """Those of the versions that are the service's, by id."""
    recipe = parse_recipe(service.recipe)
    query = select(Version).where(Version.service_id == service.id, among(session, Version.id, ids))
    return {row.id: version(row, recipe) for row in session.execute(query).scalars()}


def barriers(session: Session, service_id: int) -> list[Barrier]:
    """The versions of a service that cannot be reverted past."""
    query = select(Version.id, Version.label, Version.irreversible)
    rows = session.execute(query.where(Version.service_id == service_id, Version.irreversible != ""))
    return [Barrier(*row) for row in rows]


def crossed_by_undo(session: Session, rollout: Rollout) -> tuple[Barrier, ...]:
    """The barriers that an undo of all its hosts would go back past."""
    query = select(Step.to_version_id, Step.from_version_id).where(Step.rollout_id == rollout.id).distinct()
    ways = [(source, target) for source, target in session.execute(query)]
    return crossed(ways, barriers(session, rollout.service_id))


def instances_on(
    session: Session, service_id: int, version_id: int, host_ids: Sequence[int] | None, *, locking: bool
) -> list[InstanceSnapshot]:
    """The instances on a version, on ``host_ids`` or anywhere, each with its holder. With ``locking`` their rows are
    locked, in id order: unsorted, two claims on PostgreSQL would deadlock."""
    query = _with_holder(select(*_INSTANCE)).where(Instance.service_id == service_id, Instance.version_id == version_id)
    if host_ids is not None:
        query = query.where(among(session, Instance.host_id, host_ids))
    if locking:
        query = query.with_for_update(of=Instance)
    return [_instance(*row) for row in session.execute(query)]


def for_plan(
    session: Session, service: Service, command: StartRollout, *, locking: bool
) -> tuple[VersionSnapshot | None, VersionSnapshot | None, list[InstanceSnapshot]]:
    """What :func:`~deployer.domain.plan.plan_rollout` judges ``command`` against: source, target, instances."""
    known = versions(session, service, {command.from_version_id, command.to_version_id})
    host_ids = None if command.hosts.everyone else command.hosts.ids
    on_source = instances_on(session, service.id, command.from_version_id, host_ids, locking=locking)
    return known.get(command.from_version_id), known.get(command.to_version_id), on_source


def earlier(session: Session, rollout: Rollout, service: Service) -> Earlier:
    """A rollout and how the instances of its steps stand now."""
    rows = session.execute(_steps_and_since().where(Step.rollout_id == rollout.id)).all()
    ids = {rollout.from_version_id, rollout.to_version_id}
    known = versions(session, service, ids.union(*((source, target, runs) for _, source, target, runs, *_ in rows)))
    return Earlier(
        rollout.id,
        rollout.state,
        rollout.action,
        known[rollout.from_version_id],
        known[rollout.to_version_id],
        strategy(rollout),
        tuple(
            DoneStep(state, known[source], known[target], _instance(*rest), known[runs], evidence, last)
            for state, source, target, runs, evidence, last, *rest in rows
        ),
    )


@cache  # to build it takes longer than to execute it
def _steps_and_since() -> Select[Any]:
    """The steps of all rollouts, each with its instance as it is now and the last rollout that touched that since."""
    since = aliased(Step)
    later = (
        select(func.max(since.rollout_id))
        .where(since.instance_id == Step.instance_id, since.id > Step.id, since.state.in_(TOUCHED))
        .correlate(Step)
        .scalar_subquery()
    )
    columns: tuple[Any, ...] = (
        Step.state,
        Step.from_version_id,
        Step.to_version_id,
        Instance.version_id,
        Instance.evidence,
        later,
    )
    return _with_holder(select(*columns, *_INSTANCE)).join(Step, Step.instance_id == Instance.id)


def strategy(rollout: Rollout) -> Strategy:
    """The strategy that a rollout was started with."""
    return Strategy(
        parse_wave_size(rollout.wave_size), rollout.stop_after, rollout.pause_after_first, rollout.on_failure
    )


def _with_holder(query: Select[Any]) -> Select[Any]:
    target = aliased(Version)
    return (
        query.select_from(Instance)
        .add_columns(Host.hostname, Rollout.id, Rollout.created_by, Rollout.action, target.label, Rollout.created)
        .join(Host, Host.id == Instance.host_id)
        .outerjoin(Rollout, Rollout.id == Instance.rollout_id)
        .outerjoin(target, target.id == Rollout.to_version_id)
        .order_by(Instance.id)
    )


def _instance(
    instance_id: int, host_id: int, status: InstanceStatus, hostname: str, rollout_id: int | None, *holder: Any
) -> InstanceSnapshot:
    held_by = Holder(rollout_id, *holder) if rollout_id is not None else None
    return InstanceSnapshot(instance_id, host_id, hostname, status, held_by)
