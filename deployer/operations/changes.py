"""What has changed in a service since somebody looked at it, in sentences."""

from __future__ import annotations

from sqlalchemy import select

from deployer.domain.errors import N_, Note
from deployer.domain.plan import RolloutPlan
from deployer.domain.token import PlanChanged, PlanToken
from deployer.extensions import db
from deployer.models import Host, Instance, Rollout, Service, Version

TOLD = 5  # things named; the rest are counted


def check_unchanged(service: Service, plan: RolloutPlan, token: PlanToken | None, rev: int) -> None:
    """Raise :class:`PlanChanged` unless ``plan`` is what ``token`` was given for. ``rev`` is this transaction's own."""
    if token is not None and token.digest != plan.digest(service.recipe):
        raise PlanChanged(since(service, token, rev))


def since(service: Service, token: PlanToken, rev: int) -> tuple[Note, ...]:
    """What is not as it was at the token's revision."""
    if token.rev >= rev - 1:
        return (Note(N_("The plan that you were shown was for another choice.")),)
    notes = [*_versions(service.id, token.rev), *_instances(service.id, token.rev)]
    if not notes:
        return (Note(N_("The service or its recipe was changed."), about=service.name),)
    more = len(notes) - TOLD
    return (*notes[:TOLD], *([Note(N_("%(n)s more have changed."), {"n": more})] if more > 0 else ()))


def _versions(service_id: int, rev: int) -> list[Note]:
    rows = db.session.execute(
        select(Version.label, Version.status)
        .where(Version.service_id == service_id, Version.rev > rev)
        .order_by(Version.id)
    )
    return [
        Note(N_("The status of its build is %(status)s."), {"status": status.name.lower()}, label)
        for label, status in rows
    ]


def _instances(service_id: int, rev: int) -> list[Note]:
    rows = db.session.execute(
        select(Host.hostname, Version.label, Rollout.id, Rollout.created_by)
        .select_from(Instance)
        .join(Host, Host.id == Instance.host_id)
        .join(Version, Version.id == Instance.version_id)
        .outerjoin(Rollout, Rollout.id == Instance.rollout_id)
        .where(Instance.service_id == service_id, Instance.rev > rev)
        .order_by(Instance.id)
    )
    return [
        Note(N_("Rollout #%(rollout)s of %(by)s holds it."), {"rollout": rollout_id, "by": by}, hostname)
        if rollout_id
        else Note(N_("It runs %(version)s now."), {"version": label}, hostname)
        for hostname, label, rollout_id, by in rows
    ]
