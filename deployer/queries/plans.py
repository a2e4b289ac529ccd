"""What would happen, before anybody says that it shall: by the very rules that the operations go by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployer.domain.errors import Conflict, no_such
from deployer.domain.followup import Earlier, FollowUp, LeftOut, plan_retry, plan_undo
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import Barrier, RolloutPlan, StartRollout, crossed, plan_rollout
from deployer.domain.token import PlanToken
from deployer.extensions import db
from deployer.models import Rollout, Service, snapshots
from deployer.queries.rollouts import RolloutRow


@dataclass(frozen=True)
class Preview:
    """A plan, and the token to send with it: then it is carried out as shown, or not at all."""

    plan: RolloutPlan
    token: PlanToken
    left_out: tuple[LeftOut, ...] = ()
    crosses: tuple[Barrier, ...] = ()  # versions on the way that cannot be reverted past, newest first

    def is_as_of(self, token: PlanToken) -> bool:
        """Whether nothing has changed in the service since ``token`` was given: another digest is another choice."""
        return token.rev >= self.token.rev


def rollout(command: StartRollout) -> Preview:
    """What ``command`` would do. Raises as :func:`deployer.operations.rollouts.start`."""
    service = db.session.get(Service, command.service_id)
    if service is None:
        raise no_such("service", command.service_id)
    rev = service.rev  # read first: what is read after it can only be newer, and then the plan is made anew
    plan = plan_rollout(command, *snapshots.for_plan(db.session(), service, command, locking=False))
    return _preview(service, rev, plan)


def undo(rollout_id: int, hosts: HostChoice) -> Preview:
    """What undoing a rollout would do. Raises as :func:`deployer.operations.followups.undo`."""
    service, earlier, rev = _earlier(rollout_id)
    found = plan_undo(earlier, hosts)
    return _preview(service, rev, found.plan, found.left_out)


def crossed_by_undo(rollout_id: int) -> tuple[Barrier, ...]:
    """The versions that an undo of all hosts of a rollout would go back past although they are marked."""
    return snapshots.crossed_by_undo(db.session(), db.session.get_one(Rollout, rollout_id))


def retry(rollout_id: int, hosts: HostChoice) -> Preview:
    """What trying a rollout's failed hosts again would do. Raises as :func:`deployer.operations.followups.retry`."""
    service, earlier, rev = _earlier(rollout_id)
    found = plan_retry(earlier, hosts)
    return _preview(service, rev, found.plan, found.left_out)


def _preview(service: Service, rev: int, plan: RolloutPlan, left_out: tuple[LeftOut, ...] = ()) -> Preview:
    crosses = crossed(plan.ways, snapshots.barriers(db.session(), service.id))
    return Preview(plan, PlanToken(rev, plan.digest(service.recipe)), left_out, crosses)


@dataclass(frozen=True)
class Offers:
    """What of it would come to something now: whether an undo, and on how many hosts a retry."""

    undo: bool
    retry: int


def offers(row: RolloutRow) -> Offers:
    """What can follow a rollout, by its hosts as they are now."""
    if not row.may_undo and not row.may_retry:
        return Offers(undo=False, retry=0)
    if row.undo_waits:
        return Offers(undo=not row.undo_by, retry=0)
    _, earlier, _ = _earlier(row.id)
    again = _hosts_of(plan_retry, earlier) if row.may_retry else 0
    return Offers(undo=_hosts_of(plan_undo, earlier) > 0, retry=again)


def _hosts_of(planner: Callable[[Earlier, HostChoice], FollowUp], earlier: Earlier) -> int:
    try:
        return len(planner(earlier, HostChoice(everyone=True)).plan.steps)
    except Conflict:
        return 0


def _earlier(rollout_id: int) -> tuple[Service, Earlier, int]:
    rollout_row = db.session.get(Rollout, rollout_id)
    if rollout_row is None:
        raise no_such("rollout", rollout_id)
    service = db.session.get_one(Service, rollout_row.service_id)
    rev = service.rev
    return service, snapshots.earlier(db.session(), rollout_row, service), rev
