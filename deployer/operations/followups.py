"""What people do about a rollout's hosts afterwards: undo it, try what failed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from deployer import queue
from deployer.domain.access import Actor
from deployer.domain.errors import N_, Conflict, Note
from deployer.domain.followup import Earlier, FollowUp, LeftOut, plan_retry, plan_undo
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import check_known
from deployer.domain.status import Origin, StepState
from deployer.domain.token import PlanChanged, PlanToken
from deployer.domain.transitions import ROLLOUT, RolloutEvent
from deployer.extensions import db
from deployer.models import Rollout, Service, Step, snapshots
from deployer.operations import changes
from deployer.operations.accepting import Accepted, accept, accepted_before
from deployer.operations.progress import end_queued, go_on, meet
from deployer.operations.rollouts import locked
from deployer.operations.transaction import Of, audit, transaction

Planner = Callable[[Earlier, HostChoice], FollowUp]


@dataclass(frozen=True)
class Following:
    """What came of the request: ``accepted`` is None when the undo begins as soon as the hosts that are being worked on
    are done. ``left_out`` are the hosts that could not be part of it."""

    accepted: Accepted | None
    left_out: tuple[LeftOut, ...] = ()


def undo(
    rollout_id: int,
    hosts: HostChoice,
    actor: Actor,
    token: PlanToken | None = None,
    knows: frozenset[int] | None = None,
) -> Following:
    """Take the hosts that a rollout touched back, each to its own previous version. A rollout that is under way ends
    first: no further host is started.

    Raises NotFound; Conflict when there is nothing to undo or the plan has changed; Invalid for a strange host, and
    when it goes back past a marked version that the person does not know of (``knows`` None: was not asked).
    """
    with transaction():
        rollout, rev = locked(rollout_id, actor)
        following = _known(rollout, Origin.UNDO, hosts, actor, token)
        if following is None:
            if not rollout.state.is_final and _is_at_work(rollout_id):
                following = _undo_when_ended(rollout, rev, hosts, actor, token, knows)
            else:
                if not rollout.state.is_final:
                    _end(rollout, rev, actor)
                following = _follow(rollout, rev, plan_undo, hosts, actor, token, knows)
    queue.ring(rollout_id)
    return following


def retry(
    rollout_id: int,
    hosts: HostChoice,
    actor: Actor,
    token: PlanToken | None = None,
    knows: frozenset[int] | None = None,
) -> Following:
    """Try the failed hosts of a rollout that has ended again. Raises as :func:`undo`, and Conflict while it goes on."""
    with transaction():
        rollout, rev = locked(rollout_id, actor)
        following = _known(rollout, Origin.RETRY, hosts, actor, token)
        if following is None:
            following = _follow(rollout, rev, plan_retry, hosts, actor, token, knows)
    queue.ring(rollout_id)
    return following


def _known(
    rollout: Rollout, origin: Origin, hosts: HostChoice, actor: Actor, token: PlanToken | None
) -> Following | None:
    def is_meant(known: Rollout) -> bool:
        return (known.origin, known.origin_id) == (origin, rollout.id)

    accepted = accepted_before(actor.name, token, hosts, is_meant)
    return None if accepted is None else Following(accepted)


def _is_at_work(rollout_id: int) -> bool:
    running = select(Step.id).where(Step.rollout_id == rollout_id, Step.state == StepState.RUNNING).limit(1)
    return db.session.execute(running).first() is not None


def _undo_when_ended(
    rollout: Rollout,
    rev: int,
    hosts: HostChoice,
    actor: Actor,
    token: PlanToken | None,
    knows: frozenset[int] | None,
) -> Following:
    if rollout.undo_by:
        raise Conflict(
            N_("%(by)s has asked for an undo already."),
            N_("It begins when the hosts that are being worked on are done."),
            facts={"by": rollout.undo_by},
        )
    if token is not None:  # which hosts there will be is not known yet
        raise PlanChanged((Note(N_("Hosts of this rollout are being worked on now.")),))
    if not hosts.everyone:
        raise Conflict(
            N_("Hosts are being worked on; single ones cannot be chosen yet."),
            N_("Undo all of them, or pause the rollout and choose when no host is being worked on."),
            "host",
        )
    check_known(snapshots.crossed_by_undo(db.session(), rollout), knows)
    rollout.undo_by = actor.name
    _end(rollout, rev, actor)
    return Following(None)


def _end(rollout: Rollout, rev: int, actor: Actor) -> None:
    """Start no further step. One that is stopping or being cancelled already does that anyway."""
    never_started = 0
    if (rollout.state, RolloutEvent.CANCEL) in ROLLOUT:
        meet(rollout, RolloutEvent.CANCEL)
        never_started = end_queued(rollout, StepState.CANCELLED, rev)
    go_on(rollout, rev, undo=False)
    audit(actor.name, "end", "rollout", rollout.id, Of(rollout.service_id, rollout.id), never_started=never_started)


def _follow(
    rollout: Rollout,
    rev: int,
    planner: Planner,
    hosts: HostChoice,
    actor: Actor,
    token: PlanToken | None,
    knows: frozenset[int] | None,
) -> Following:
    session = db.session()
    session.flush()
    service = session.get_one(Service, rollout.service_id)
    found = planner(snapshots.earlier(session, rollout, service), hosts)
    changes.check_unchanged(service, found.plan, token, rev)
    return Following(accept(service, found.plan, rev, by=actor.name, token=token, knows=knows), found.left_out)
