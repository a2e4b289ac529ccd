"""An accepted rollout becomes rows: the rollout, its steps and its claim, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from deployer.domain.errors import N_, Conflict
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import RolloutPlan, check_known, crossed
from deployer.domain.token import PlanToken
from deployer.extensions import db
from deployer.models import Instance, Rollout, Service, Step, claims, snapshots
from deployer.models.columns import utc_now
from deployer.operations.transaction import Of, audit


@dataclass(frozen=True)
class Accepted:
    """An accepted rollout and the hosts it holds now, in the order of its steps."""

    rollout_id: int
    host_ids: tuple[int, ...]


def accept(
    service: Service,
    plan: RolloutPlan,
    rev: int,
    *,
    by: str,
    reason: str = "",
    token: PlanToken | None = None,
    knows: frozenset[int] | None = None,
) -> Accepted:
    """Write ``plan`` down and claim its instances, all or none (S2, S12). Raises :class:`Conflict`; and Invalid on
    ``crosses`` when it goes back past a version that the person does not know of (``knows`` None: was not asked)."""
    at = utc_now()
    session = db.session()
    crosses = crossed(plan.ways, snapshots.barriers(session, service.id))
    check_known(crosses, knows)
    rollout = Rollout(
        service_id=service.id,
        action=plan.action,
        from_version_id=plan.source.id,
        to_version_id=plan.target.id,
        reason=reason,
        wave_size=str(plan.strategy.wave_size),
        stop_after=plan.strategy.stop_after,
        pause_after_first=plan.strategy.pause_after_first,
        on_failure=plan.strategy.on_failure,
        origin=plan.origin,
        origin_id=plan.origin_id,
        crossed=" ".join(one.label for one in crosses),
        plan_token=None if token is None else str(token),
        rev=rev,
        created=at,
        created_by=by,
    )
    session.add(rollout)
    session.flush()
    claims.write_steps(session, rollout, plan.steps, rev)
    if claims.claim(session, rollout, plan.instance_ids, at, rev) != len(plan.steps):
        # Every writer takes the service's row first, so this is not expected; the row count is what we trust.
        raise Conflict(
            N_("The chosen hosts changed at this very moment."), N_("Nothing was started. Try again."), "host"
        )
    audit(
        by,
        plan.action.value if plan.origin is None else plan.origin.value,
        "rollout",
        rollout.id,
        Of(service.id, rollout.id),
        service=service.name,
        source=plan.source.label,
        target=plan.target.label,
        hosts=[step.hostname for step in plan.steps],
        **({} if plan.origin is None else {"of": plan.origin_id}),
        **({"crossed": [one.label for one in crosses]} if crosses else {}),
    )
    return Accepted(rollout.id, tuple(plan.host_ids))


def accepted_before(
    by: str, token: PlanToken | None, hosts: HostChoice, is_meant: Callable[[Rollout], bool]
) -> Accepted | None:
    """The rollout that the same person started with the very same plan: a form that is sent twice starts one.

    Raises :class:`Conflict` on ``plan`` when the token was used, but not for what is asked now: for other ``hosts``, or
    a rollout that ``is_meant`` does not know again.
    """
    if token is None:
        return None
    rollout = db.session.execute(
        select(Rollout).where(Rollout.created_by == by, Rollout.plan_token == str(token))
    ).scalar_one_or_none()
    if rollout is None:
        return None
    of_steps = (
        select(Instance.host_id)
        .join(Step, Step.instance_id == Instance.id)
        .where(Step.rollout_id == rollout.id)
        .order_by(Step.id)
    )
    host_ids = tuple(db.session.execute(of_steps).scalars())
    if not is_meant(rollout) or not (hosts.everyone or set(hosts.ids) == set(host_ids)):
        raise Conflict(
            N_("This plan has been started already, as rollout #%(rollout)s, and it was another one."),
            N_("Nothing was started. Ask for the plan of what you want now, and send its token."),
            "plan",
            {"rollout": rollout.id},
        )
    return Accepted(rollout.id, host_ids)
