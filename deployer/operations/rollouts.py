"""What people do with rollouts: start one, cancel one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import aliased

from deployer import queue
from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.plan import (
    Holder,
    InstanceSnapshot,
    StartRollout,
    VersionSnapshot,
    plan_rollout,
)
from deployer.domain.recipe import Recipe, is_deployable, parse_recipe
from deployer.domain.transitions import RolloutEvent, advance_rollout
from deployer.extensions import db
from deployer.models import Host, Instance, Rollout, Service, Version, claims
from deployer.models.columns import among, utc_now
from deployer.operations.ending import end_if_done
from deployer.operations.transaction import audit, transaction


@dataclass(frozen=True)
class Accepted:
    """An accepted rollout and the hosts it holds now."""

    rollout_id: int
    host_ids: tuple[int, ...]


def start(command: StartRollout, actor: Actor) -> Accepted:
    """Claim the chosen instances, all or none, write the steps and ring for a worker (S2, S12, S13).

    Raises a :class:`~deployer.domain.errors.Refused` of any kind; then nothing has changed.
    """
    actor.require(Verb.ROLL_OUT)
    with transaction() as session:
        service = session.get(Service, command.service_id)
        if service is None:
            raise no_such("service", command.service_id)
        # The service's row first, in every writer: one order of locks, so no deadlock, and revisions never reorder.
        rev = claims.bump(session(), service.id)
        recipe = parse_recipe(service.recipe)
        plan = plan_rollout(
            command,
            _version(service.id, command.from_version_id, recipe),
            _version(service.id, command.to_version_id, recipe),
            _instances(service.id, command),
        )
        at = utc_now()
        rollout = Rollout(
            service_id=service.id,
            action=plan.action,
            from_version_id=plan.source.id,
            to_version_id=plan.target.id,
            reason=command.reason,
            rev=rev,
            created=at,
            created_by=actor.name,
        )
        session.add(rollout)
        session.flush()
        ids = plan.instance_ids
        if claims.write_steps(session(), rollout, ids, rev) != len(ids) or claims.claim(
            session(), rollout, ids, at, rev
        ) != len(ids):
            # Every writer takes the service's row first, so this is not expected; the row count is what we trust.
            raise Conflict(
                N_("The chosen hosts changed at this very moment."), N_("Nothing was started. Try again."), "host"
            )
        audit(
            actor.name,
            plan.action.value,
            "rollout",
            rollout.id,
            service=service.name,
            source=plan.source.label,
            target=plan.target.label,
            hosts=[instance.hostname for instance in plan.instances],
        )
        accepted = Accepted(rollout.id, tuple(plan.host_ids))
    # Only after the commit: a worker that is faster than us must find the rows. If it fails, the rows are the outbox.
    queue.ring(accepted.rollout_id)
    return accepted


def cancel(rollout_id: int, actor: Actor) -> None:
    """Start no further step; what is running comes to its own end. Raises NotFound, or Conflict when it has ended."""
    actor.require(Verb.ROLL_OUT)
    with transaction() as session:
        rollout = session.get(Rollout, rollout_id)
        if rollout is None:
            raise no_such("rollout", rollout_id)
        rev = claims.bump(session(), rollout.service_id)
        session.refresh(rollout)
        at = utc_now()
        rollout.state = advance_rollout(rollout.state, RolloutEvent.CANCEL)
        session.flush()
        never_started = claims.cancel_queued(session(), rollout.id, at, rev)
        end_if_done(rollout, rev)
        audit(actor.name, "cancel", "rollout", rollout.id, never_started=never_started)


def _version(service_id: int, version_id: int, recipe: Recipe) -> VersionSnapshot | None:
    version = db.session.execute(
        select(Version).where(Version.service_id == service_id, Version.id == version_id)
    ).scalar_one_or_none()
    if version is None:
        return None
    return VersionSnapshot(version.id, version.label, version.status, is_deployable(recipe, version.artifact_sha256))


def _instances(service_id: int, command: StartRollout) -> Sequence[InstanceSnapshot]:
    """The chosen instances on the source version, each with its holder, their rows locked in id order."""
    target = aliased(Version)
    query = (
        select(
            Instance.id,
            Instance.host_id,
            Host.hostname,
            Instance.status,
            Rollout.id,
            Rollout.created_by,
            Rollout.action,
            target.label,
            Rollout.created,
        )
        .join(Host, Host.id == Instance.host_id)
        .outerjoin(Rollout, Rollout.id == Instance.rollout_id)
        .outerjoin(target, target.id == Rollout.to_version_id)
        .where(Instance.service_id == service_id, Instance.version_id == command.from_version_id)
        .order_by(Instance.id)
        .with_for_update(of=Instance)
    )
    if not command.hosts.everyone:
        query = query.where(among(db.session(), Instance.host_id, command.hosts.ids))
    rows = db.session.execute(query)
    return [
        InstanceSnapshot(
            instance_id, host_id, hostname, status, Holder(rollout_id, by, action, to_label, since) if by else None
        )
        for instance_id, host_id, hostname, status, rollout_id, by, action, to_label, since in rows
    ]
