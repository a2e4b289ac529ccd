"""What people do with rollouts: start one, pause it, let it go on, cancel it."""

from __future__ import annotations

from sqlalchemy import select

from deployer import queue
from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, Invalid, no_such
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import RolloutPlan, StartRollout, plan_rollout
from deployer.domain.status import StepState
from deployer.domain.token import PlanChanged
from deployer.domain.transitions import RolloutEvent
from deployer.extensions import db
from deployer.models import Instance, Rollout, Service, Step, claims, snapshots
from deployer.operations import changes
from deployer.operations.accepting import Accepted, accept, accepted_before
from deployer.operations.progress import end_queued, go_on, meet
from deployer.operations.transaction import Of, audit, transaction

__all__ = ["Accepted", "cancel", "locked", "pause", "resume", "start"]


def start(command: StartRollout, actor: Actor) -> Accepted:
    """Claim the chosen instances, all or none, write the steps and ring for a worker (S2, S12, S13).

    Raises a :class:`~deployer.domain.errors.Refused` of any kind; then nothing has changed. A plan that this person has
    sent before is the rollout of then.
    """
    actor.require(Verb.ROLL_OUT, command.service_id)
    with transaction() as session:
        service = session.get(Service, command.service_id)
        if service is None:
            raise no_such("service", command.service_id)
        # The service's row first, in every writer: one order of locks, so no deadlock, and revisions never reorder.
        rev = claims.bump(session(), service.id)
        accepted = accepted_before(actor.name, command.token, command.hosts, lambda known: _is_same(known, command))
        if accepted is None:
            plan = _planned(service, command, rev)
            changes.check_unchanged(service, plan, command.token, rev)
            token, knows = command.token, command.knows
            accepted = accept(service, plan, rev, by=actor.name, reason=command.reason, token=token, knows=knows)
    # Only after the commit: a worker that is faster than us must find the rows. If it fails, the rows are the outbox.
    queue.ring(accepted.rollout_id)
    return accepted


def _is_same(known: Rollout, command: StartRollout) -> bool:
    """Whether the rollout is what ``command`` asks for; its hosts are compared elsewhere."""
    asked = (command.service_id, command.action, command.from_version_id, command.to_version_id, command.strategy)
    of_rollout = (known.service_id, known.action, known.from_version_id, known.to_version_id)
    return asked == (*of_rollout, snapshots.strategy(known)) and known.origin is None


def _planned(service: Service, command: StartRollout, rev: int) -> RolloutPlan:
    try:
        return plan_rollout(command, *snapshots.for_plan(db.session(), service, command, locking=True))
    except Invalid:
        if command.token is None or command.token.rev >= rev - 1:
            raise
        # What was there to choose when the person looked is gone: that is the world's doing, and not a wrong parameter.
        raise PlanChanged(changes.since(service, command.token, rev)) from None


def locked(rollout_id: int, actor: Actor) -> tuple[Rollout, int]:
    """The rollout as it is now and stays until the commit, and the revision of this transaction. Raises NotFound, and
    Forbidden when ``actor`` may not roll out its service."""
    session = db.session()
    rollout = session.get(Rollout, rollout_id)
    if rollout is None:
        raise no_such("rollout", rollout_id)
    actor.require(Verb.ROLL_OUT, rollout.service_id)
    rev = claims.bump(session, rollout.service_id)
    session.refresh(rollout)
    return rollout, rev


def pause(rollout_id: int, actor: Actor) -> None:
    """Start no further step until it is resumed. Raises NotFound, or Conflict when there is nothing to hold back."""
    with transaction():
        rollout, rev = locked(rollout_id, actor)
        meet(rollout, RolloutEvent.PAUSE)
        if not _waiting(rollout_id):
            raise Conflict(
                N_("Every host of this rollout has been started already."),
                N_("There is nothing left to hold back; wait for its end, then undo it if you have to."),
            )
        rollout.paused_by = actor.name
        go_on(rollout, rev)
        audit(actor.name, "pause", "rollout", rollout.id, Of(rollout.service_id, rollout.id))


def resume(rollout_id: int, hosts: HostChoice, actor: Actor) -> None:
    """Go on with ``hosts`` of those that wait, and leave out the others. Raises NotFound; Conflict when it is not
    paused; Invalid on ``host`` for a host that does not wait."""
    with transaction():
        rollout, rev = locked(rollout_id, actor)
        meet(rollout, RolloutEvent.RESUME)
        rollout.paused_by = ""
        waiting = _waiting(rollout_id)
        chosen = set(waiting) if hosts.everyone else set(hosts.ids)
        for host_id in chosen - set(waiting):
            raise Invalid(
                N_("Please send the right host ids."),
                N_("Host %(id)s does not wait in this rollout. Reload the page and choose again."),
                "host",
                {"id": host_id},
            )
        left_out = [instance_id for host_id, instance_id in waiting.items() if host_id not in chosen]
        skipped = end_queued(rollout, StepState.SKIPPED, rev, left_out) if left_out else 0
        go_on(rollout, rev)
        audit(actor.name, "resume", "rollout", rollout.id, Of(rollout.service_id, rollout.id), left_out=skipped)
    queue.ring(rollout_id)


def cancel(rollout_id: int, actor: Actor) -> None:
    """Start no further step; what is running comes to its own end. Raises NotFound, or Conflict when it has ended."""
    with transaction():
        rollout, rev = locked(rollout_id, actor)
        meet(rollout, RolloutEvent.CANCEL)
        never_started = end_queued(rollout, StepState.CANCELLED, rev)
        go_on(rollout, rev)
        audit(
            actor.name, "cancel", "rollout", rollout.id, Of(rollout.service_id, rollout.id), never_started=never_started
        )


def _waiting(rollout_id: int) -> dict[int, int]:
    """The hosts of steps that have not started, each with its instance."""
    query = (
        select(Instance.host_id, Instance.id)
        .join(Step, Step.instance_id == Instance.id)
        .where(Step.rollout_id == rollout_id, Step.state == StepState.QUEUED)
    )
    return dict(db.session.execute(query).all())
