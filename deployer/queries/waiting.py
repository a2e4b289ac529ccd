"""Instances that a rollout holds and on which nothing happens yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import aliased

from deployer.domain.status import Action, RolloutState, StepState
from deployer.models import Instance, Rollout, Step

Q = TypeVar("Q", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True)
class Waiting:
    """An instance whose step has not started: which ``wave`` of how many it is in. ``paused``: it does not start before
    somebody lets the rollout go on."""

    action: Action
    wave: int
    waves: int
    paused: bool


_own, _any = aliased(Step), aliased(Step)
_waves = select(func.max(_any.wave)).where(_any.rollout_id == Instance.rollout_id).correlate(Instance)
# What :func:`read_waiting` reads, of a query that :func:`with_own_step` has joined.
COLUMNS: tuple[Any, ...] = (_own.state, _own.wave, _waves.scalar_subquery(), Rollout.action, Rollout.state)
STEP_REV = func.coalesce(_own.rev, 0)


def with_own_step(query: Q) -> Q:
    """``query`` of instances, joined with the rollout that holds each and its step there."""
    own = and_(_own.instance_id == Instance.id, _own.rollout_id == Instance.rollout_id)
    return query.outerjoin(Rollout, Rollout.id == Instance.rollout_id).outerjoin(_own, own)


def read_waiting(
    step: StepState | None, wave: int, waves: int, action: Action, rollout: RolloutState
) -> Waiting | None:
    """What COLUMNS say; None when nothing holds the instance, or its step has started."""
    if step is not StepState.QUEUED:
        return None
    return Waiting(action, wave, waves, not rollout.starts_steps)
