"""An upgrade of the world's ``orders`` from 1.1.0, step by step, as a worker would do it."""

from __future__ import annotations

from sqlalchemy import select

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, OnFailure, RolloutState, StepState
from deployer.domain.strategy import Strategy, parse_wave_size
from deployer.domain.token import PlanToken
from deployer.extensions import db
from deployer.models import Host, Instance, Rollout, Step, Version
from deployer.operations import rollouts, steps
from deployer.operations.steps import Settlement, TakenStep
from tests.world import ADMIN, World

ALL = HostChoice(everyone=True)


def strategy(waves: str = "", *, stop: int = 9, gate: bool = False, undo: bool = False) -> Strategy:
    """By default all at once, on to the last of them."""
    return Strategy(parse_wave_size(waves), stop, gate, OnFailure.UNDO if undo else OnFailure.STOP)


def command(
    world: World,
    how: Strategy | None = None,
    hosts: HostChoice = ALL,
    *,
    source: str = "1.1.0",
    target: str = "1.2.0",
    action: Action = Action.UPGRADE,
    token: PlanToken | None = None,
) -> StartRollout:
    """What a person asks for."""
    return StartRollout(
        world.service,
        world.versions[source],
        action,
        world.versions[target],
        hosts,
        strategy=how or strategy(),
        token=token,
    )


def start(world: World, how: Strategy | None = None, hosts: HostChoice = ALL, **more: str) -> int:
    """Start it, and return the rollout's id."""
    return rollouts.start(command(world, how, hosts, **more), ADMIN).rollout_id  # type: ignore[arg-type]


def only(world: World, *names: str) -> HostChoice:
    """These hosts."""
    return HostChoice(everyone=False, ids=tuple(world.hosts[name] for name in names))


def take(rollout_id: int, slots: int = 99) -> list[TakenStep]:
    """What a worker gets."""
    return steps.take_steps(rollout_id, "worker", slots)


def succeed(*taken: TakenStep) -> None:
    """The worker did its work on each."""
    assert len(steps.settle_steps([(one, Settlement(ok=True, running=one.to_label)) for one in taken])) == len(taken)


def fail(*taken: TakenStep, running: str | None = "") -> None:
    """Each host runs what it ran before, or ``running``."""
    ends = [
        (one, Settlement(False, one.from_label if running == "" else running, "It did not start.")) for one in taken
    ]
    assert len(steps.settle_steps(ends)) == len(taken)


def names(taken: list[TakenStep]) -> list[str]:
    """On which hosts."""
    return [one.place.hostname for one in taken]


def state(rollout_id: int) -> RolloutState:
    """The rollout's, as committed."""
    db.session.rollback()
    return db.session.get_one(Rollout, rollout_id).state


def states(rollout_id: int) -> dict[str, StepState]:
    """Those of its steps, by host."""
    db.session.rollback()
    rows = db.session.execute(
        select(Host.hostname, Step.state)
        .join(Instance, Instance.host_id == Host.id)
        .join(Step, Step.instance_id == Instance.id)
        .where(Step.rollout_id == rollout_id)
        .order_by(Step.id)
    )
    return dict(rows.all())


def follower(rollout_id: int) -> Rollout | None:
    """The rollout that follows it."""
    db.session.rollback()
    return db.session.execute(
        select(Rollout).where(Rollout.origin_id == rollout_id).order_by(Rollout.id.desc())
    ).scalar()


def runs(world: World) -> dict[str, str]:
    """The version of ``orders`` recorded on each host."""
    db.session.rollback()
    rows = db.session.execute(
        select(Host.hostname, Version.label)
        .join(Instance, Instance.host_id == Host.id)
        .join(Version, Version.id == Instance.version_id)
        .where(Instance.service_id == world.service)
        .order_by(Host.id)
    )
    return dict(rows.all())


def held() -> set[str]:
    """The hosts that a rollout holds."""
    db.session.rollback()
    rows = db.session.execute(
        select(Host.hostname).join(Instance, Instance.host_id == Host.id).where(Instance.rollout_id.is_not(None))
    )
    return set(rows.scalars())
