"""Ask a host again which version it runs, outside of any rollout."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update

from deployer import queue
from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.status import Evidence
from deployer.extensions import db
from deployer.models import Instance, Rollout, Step, Version, claims
from deployer.models.columns import utc_now
from deployer.operations.places import Place, places, version_id
from deployer.operations.transaction import Of, audit, transaction

AT_ONCE = 50


@dataclass(frozen=True)
class TakenProbe:
    """A question to ask. ``rev`` is the instance's revision: if it is another by the time of the answer, the answer is
    about a host that has been changed since, and is thrown away. ``last_step`` is the id of the last step that the
    instance had, 0 if none: what may still be at work on the host is of no later one."""

    place: Place
    label: str
    by: str
    rev: int
    last_step: int


def ask(instance_id: int, actor: Actor) -> None:
    """Have a worker ask the host. Raises NotFound, or Conflict while a rollout holds it: that asks by itself."""
    with transaction() as session:
        instance = session.get(Instance, instance_id)
        if instance is None:
            raise no_such("instance", instance_id)
        actor.require(Verb.ROLL_OUT, instance.service_id)
        instance.rev = claims.bump(session(), instance.service_id)
        check_free(instance)
        instance.probe_by = actor.name
        place = places([instance.id])[instance.id]
        named = {"service": place.service, "host": place.hostname}
        audit(actor.name, "ask", "instance", instance.id, Of(instance.service_id), **named)
    queue.ring(0)


def check_free(instance: Instance) -> None:
    """Raise Conflict while a rollout holds the instance."""
    holder = db.session.execute(
        select(Instance.rollout_id, Rollout.created_by)
        .join(Rollout, Rollout.id == Instance.rollout_id)
        .where(Instance.id == instance.id)
    ).one_or_none()
    if holder is not None:
        raise Conflict(
            N_("Rollout #%(rollout)s of %(by)s holds it."),
            N_("It asks the host at its end. Wait for that."),
            facts={"rollout": holder.rollout_id, "by": holder.created_by},
        )


def waiting_probes() -> list[TakenProbe]:
    """The questions that nobody has answered yet. Two workers may ask the same: reading changes nothing."""
    last_step = select(func.max(Step.id)).where(Step.instance_id == Instance.id).scalar_subquery()
    rows = db.session.execute(
        select(
            Instance.id, Instance.probe_by, Instance.rev, Version.label, func.coalesce(last_step, 0).label("last_step")
        )
        .join(Version, Version.id == Instance.version_id)
        .where(Instance.probe_by.is_not(None), Instance.rollout_id.is_(None))
        .order_by(Instance.id)
        .limit(AT_ONCE)
    ).all()
    at = places([row.id for row in rows]) if rows else {}
    return [TakenProbe(at[row.id], row.label, row.probe_by, row.rev, row.last_step) for row in rows]


def settle_probe(probe: TakenProbe, running: str | None) -> bool:
    """Record the answer; ``running`` is None when nothing usable came. Returns False, having changed nothing, when the
    instance has changed since the question was taken up."""
    place = probe.place
    with transaction() as session:
        rev = claims.bump(session(), place.service_id)
        found = version_id(place.service_id, running)
        values = {} if found is None else {"version_id": found}
        statement = (
            update(Instance)
            .where(Instance.id == place.instance_id, Instance.rollout_id.is_(None), Instance.rev == probe.rev)
            .values(
                probe_by=None,
                evidence=Evidence.UNVERIFIED if found is None else Evidence.CONFIRMED,
                rev=rev,
                updated=utc_now(),
                updated_by=probe.by,
                **values,
            )
            .execution_options(synchronize_session=False)
        )
        if not claims.changed(session(), statement):
            session.rollback()
            return False
        named = {"service": place.service, "host": place.hostname}
        audit(
            probe.by,
            "probe",
            "instance",
            place.instance_id,
            Of(place.service_id),
            **named,
            recorded=probe.label,
            running=running,
        )
        return True
