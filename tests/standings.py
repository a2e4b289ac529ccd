"""A rollout in every state there is, each of a service of its own on the same three hosts."""

from __future__ import annotations

from collections.abc import Callable

from deployer.domain.access import Actor, Role
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.status import Action, BuildStatus
from deployer.domain.strategy import AT_ONCE, Strategy, WaveSize
from deployer.operations import catalog, fleet, followups, rollouts, steps
from deployer.operations.catalog import Build, NewService, NewVersion
from deployer.operations.fleet import NewInstance
from deployer.operations.steps import Settlement
from tests.world import ADMIN, World

ALL = HostChoice(everyone=True)
BOB = Actor("bob", Role.DEPLOYER)
ONE_BY_ONE = Strategy(WaveSize(hosts=1))
HOSTS = ("web-1", "web-2", "web-3")


def service(world: World, name: str) -> tuple[int, int, int]:
    """Add one that runs 1.1.0 on the three hosts and has a newer 1.2.0: its id and those of the two versions."""
    service_id = catalog.add_service(NewService(name, ReleaseRecipe(restart=("true",))), ADMIN)
    build = Build(BuildStatus.SUCCESS, "http://127.0.0.1/a.tgz", "0" * 64)
    old, new = (catalog.add_version(service_id, NewVersion(label, build), ADMIN) for label in ("1.1.0", "1.2.0"))
    for host in HOSTS:
        fleet.record_instance(service_id, NewInstance(world.hosts[host], old, 8000), ADMIN)
    return service_id, old, new


def started(world: World, name: str, strategy: Strategy = AT_ONCE) -> int:
    """An upgrade of such a service; its id."""
    service_id, old, new = service(world, name)
    command = StartRollout(service_id, old, Action.UPGRADE, new, ALL, strategy=strategy)
    return rollouts.start(command, ADMIN).rollout_id


def work(rollout_id: int, *ends: bool | None) -> None:
    """Take as many hosts as there are ``ends``: each succeeds, fails, or (None) is still being worked on."""
    taken = steps.take_steps(rollout_id, "a worker", len(ends))
    for step, ok in zip(taken, ends, strict=True):
        if ok is not None:
            running = step.to_label if ok else step.from_label
            assert steps.settle_step(step, Settlement(ok, running, "" if ok else "Restart failed"))


def _queued(world: World) -> int:
    return started(world, "queued")


def _running(world: World) -> int:
    rollout_id = started(world, "running")
    work(rollout_id, True, None)
    return rollout_id


def _all_started(world: World) -> int:
    rollout_id = started(world, "all-started", Strategy(stop_after=3))
    work(rollout_id, True, False, None)
    return rollout_id


def _paused(world: World) -> int:
    rollout_id = started(world, "paused", ONE_BY_ONE)
    work(rollout_id, True)
    rollouts.pause(rollout_id, BOB)
    return rollout_id


def _gate(world: World) -> int:
    rollout_id = started(world, "gate", Strategy(WaveSize(hosts=1), pause_after_first=True))
    work(rollout_id, True)
    return rollout_id


def _cancelling(world: World) -> int:
    rollout_id = started(world, "cancelling")
    work(rollout_id, True, None)
    rollouts.cancel(rollout_id, ADMIN)
    return rollout_id


def _stopping(world: World) -> int:
    rollout_id = started(world, "stopping")
    work(rollout_id, False, None)
    return rollout_id


def _succeeded(world: World) -> int:
    rollout_id = started(world, "succeeded")
    work(rollout_id, True, True, True)
    return rollout_id


def _failed(world: World) -> int:
    rollout_id = started(world, "failed", ONE_BY_ONE)
    work(rollout_id, True)
    work(rollout_id, False)
    return rollout_id


def _cancelled(world: World) -> int:
    rollout_id = started(world, "cancelled")
    rollouts.cancel(rollout_id, ADMIN)
    return rollout_id


def _followed(world: World) -> int:
    """Failed; what had failed was tried again, and what succeeded was undone."""
    rollout_id = started(world, "followed", ONE_BY_ONE)
    work(rollout_id, True)
    work(rollout_id, False)
    for follow in (followups.retry, followups.undo):
        accepted = follow(rollout_id, ALL, ADMIN).accepted
        assert accepted
        work(accepted.rollout_id, True)
    return rollout_id


MAKERS: dict[str, Callable[[World], int]] = {
    "queued": _queued,
    "running": _running,
    "all started": _all_started,
    "paused": _paused,
    "gate": _gate,
    "cancelling": _cancelling,
    "stopping": _stopping,
    "succeeded": _succeeded,
    "failed": _failed,
    "cancelled": _cancelled,
    "followed": _followed,
}
# Which of them an action is for; it is refused in every other.
ALLOWED = {
    "pause": {"queued", "running"},
    "resume": {"paused", "gate"},
    "cancel": {"queued", "running", "all started", "paused", "gate"},
    "undo": set(MAKERS) - {"queued", "cancelled", "followed"},
    "retry": {"failed"},
}
