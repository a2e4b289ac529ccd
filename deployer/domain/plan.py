"""May this rollout start, and what exactly will it do? (S3, S6, S7, S9, S11)"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from deployer.domain.errors import N_, Conflict, Invalid, no_such
from deployer.domain.hosts import HostChoice, check_count
from deployer.domain.status import Action, BuildStatus, InstanceStatus, Origin
from deployer.domain.strategy import AT_ONCE, Strategy
from deployer.domain.token import PlanToken

NAMED_AT_MOST = 5  # busy hosts named in one refusal; the rest are counted


@dataclass(frozen=True)
class StartRollout:
    """A request, read but not yet judged."""

    service_id: int
    from_version_id: int
    action: Action
    to_version_id: int
    hosts: HostChoice
    reason: str = ""
    strategy: Strategy = AT_ONCE
    token: PlanToken | None = None  # of the plan that the person was shown
    knows: frozenset[int] | None = None  # barriers on the way that the person has owned up to; None: not asked


@dataclass(frozen=True)
class VersionSnapshot:
    """What the rules need to know of a version of the service."""

    id: int
    label: str
    status: BuildStatus
    deployable: bool  # whether what the service's recipe needs (an artifact) is there


@dataclass(frozen=True)
class Barrier:
    """A version that cannot be reverted past, and why: below it, hosts may not work any more."""

    id: int
    label: str
    why: str


@dataclass(frozen=True)
class Holder:
    """The rollout that holds an instance: who does what since when."""

    rollout_id: int
    by: str
    action: Action
    to_label: str
    since: datetime


@dataclass(frozen=True)
class InstanceSnapshot:
    """What the rules need to know of an instance on the source version."""

    id: int
    host_id: int
    hostname: str
    status: InstanceStatus
    holder: Holder | None = None


@dataclass(frozen=True)
class PlannedStep:
    """What will happen to one instance. ``status`` is given back to it should the step never start."""

    instance_id: int
    host_id: int
    hostname: str
    status: InstanceStatus
    from_version: VersionSnapshot
    to_version: VersionSnapshot
    wave: int


@dataclass(frozen=True)
class RolloutPlan:
    """What will happen, wave by wave. ``source`` and ``target`` are the rollout's own; a step may have others when the
    rollout follows another one."""

    action: Action
    source: VersionSnapshot
    target: VersionSnapshot
    strategy: Strategy
    steps: tuple[PlannedStep, ...]
    origin: Origin | None = None
    origin_id: int | None = None

    @property
    def instance_ids(self) -> list[int]:
        """The instances to claim, in id order."""
        return sorted(step.instance_id for step in self.steps)

    @property
    def host_ids(self) -> list[int]:
        """The hosts accepted, in the order of the steps."""
        return [step.host_id for step in self.steps]

    @property
    def waves(self) -> list[tuple[PlannedStep, ...]]:
        """The steps of each wave, in order."""
        found: dict[int, list[PlannedStep]] = {}
        for step in self.steps:
            found.setdefault(step.wave, []).append(step)
        return [tuple(found[wave]) for wave in sorted(found)]

    @property
    def ways(self) -> set[tuple[int, int]]:
        """From which version to which its steps go."""
        return {(step.from_version.id, step.to_version.id) for step in self.steps}

    def digest(self, recipe: object) -> str:
        """A SHA-256 (64 hex digits) that is the same only for a plan that does the same by the same ``recipe``."""
        exact = [
            self.action.value,
            self.origin,
            self.origin_id,
            [self.source.id, self.target.id],
            [str(self.strategy.wave_size), self.strategy.stop_after],
            [self.strategy.pause_after_first, self.strategy.on_failure.value],
            [[one.instance_id, one.host_id, one.from_version.id, one.to_version.id, one.wave] for one in self.steps],
            recipe,
        ]
        return hashlib.sha256(json.dumps(exact, sort_keys=True).encode()).hexdigest()


def parse_action(text: str) -> Action:
    """``upgrade`` or ``revert``. Raises :class:`Invalid` on field ``action``."""
    try:
        return Action(text)
    except ValueError:
        raise Invalid(
            N_("Only upgrade/revert are supported."), N_("Use upgrade or revert, in lower case."), "action"
        ) from None


def is_ahead(action: Action, current_id: int, version_id: int) -> bool:
    """Whether ``version_id`` lies in the direction of ``action`` from ``current_id`` (S6)."""
    return version_id > current_id if action is Action.UPGRADE else version_id < current_id


def crossed(ways: Iterable[tuple[int, int]], barriers: Iterable[Barrier]) -> tuple[Barrier, ...]:
    """Those of ``barriers`` that lie on one of the ``ways`` back from a version to an older one, the newest first.

    To go back is not forbidden: who is on call may know better. But nobody does it unwarned.
    """
    ways = list(ways)
    found = [one for one in barriers if any(target < one.id <= source for source, target in ways)]
    return tuple(sorted(found, key=lambda barrier: -barrier.id))


def check_known(crosses: Iterable[Barrier], known: frozenset[int] | None) -> None:
    """Raise :class:`Invalid` on ``crosses`` unless each of them is ``known``; None: nobody was asked."""
    unknown = [one.label for one in crosses if known is not None and one.id not in known]
    if unknown:
        raise Invalid(
            N_("The way goes back past %(versions)s, which cannot be reverted past."),
            N_("Read why, and tick that you know it; or choose a newer version. Nothing was started."),
            "crosses",
            {"versions": ", ".join(unknown)},
        )


def check_target(action: Action, source: VersionSnapshot, target: VersionSnapshot) -> None:
    """Raise :class:`Conflict` on ``dest_version`` unless ``target`` may follow ``source`` (S6, S7)."""
    if not is_ahead(action, source.id, target.id):
        if target.id == source.id:
            message = N_("The hosts already run this version.")
            hint = N_("Choose another version than %(source)s.")
        elif action is Action.UPGRADE:
            message = N_("An upgrade only goes to a newer version.")
            hint = N_("%(target)s is older than %(source)s. Choose a newer one, or revert instead.")
        else:
            message = N_("A revert only goes to an older version.")
            hint = N_("%(target)s is newer than %(source)s. Choose an older one, or upgrade instead.")
        raise Conflict(message, hint, "dest_version", {"source": source.label, "target": target.label})
    check_build(target)


def check_build(target: VersionSnapshot) -> None:
    """Raise :class:`Conflict` on ``dest_version`` unless ``target`` can be put on a host at all (S7)."""
    if target.status is not BuildStatus.SUCCESS:
        raise Conflict(
            N_("This version was not built successfully."),
            N_("The build status of %(target)s is %(status)s. Choose a version whose build succeeded."),
            "dest_version",
            {"target": target.label, "status": target.status.name.lower()},
        )
    if not target.deployable:
        raise Conflict(
            N_("This version has no artifact."),
            N_("The service's recipe unpacks an artifact. Add one to %(target)s, then try again."),
            "dest_version",
            {"target": target.label},
        )


def choose(hosts: HostChoice, instances: Sequence[InstanceSnapshot]) -> tuple[InstanceSnapshot, ...]:
    """The chosen of the instances on the source version, in id order (S11).

    Raises :class:`Invalid` on ``host`` when one of the ids is not among them: the whole request is refused.
    """
    if not hosts.everyone:
        by_host = {instance.host_id: instance for instance in instances}
        strangers = [host_id for host_id in hosts.ids if host_id not in by_host]
        if strangers:
            raise Invalid(
                N_("Please send the right host ids."),
                N_("Host %(id)s does not run the current version of this service. Reload the list and choose again."),
                "host",
                {"id": strangers[0]},
            )
        instances = [by_host[host_id] for host_id in hosts.ids]
    check_count(len(instances))
    if not instances:
        raise Invalid(
            N_("Please send the right host ids."),
            N_("No host runs the current version of this service. Choose the version that they do run."),
            "host",
        )
    return tuple(sorted(instances, key=lambda instance: instance.id))


def busy(held: Sequence[InstanceSnapshot]) -> Conflict:
    """The refusal that names each host of ``held``, who holds it, what they do and since when (S2)."""
    named = [
        f"{one.hostname} (#{one.holder.rollout_id} {one.holder.by}: {one.holder.action.value} → "
        f"{one.holder.to_label}, {one.holder.since:%Y-%m-%d %H:%M:%S} UTC)"
        for one in held[:NAMED_AT_MOST]
        if one.holder
    ]
    more = len(held) - len(named)
    facts = {"hosts": ", ".join(named) + (f" +{more}" if more else "")}
    return Conflict(
        N_("Locked: %(hosts)s."),
        N_("Leave out what is locked, or wait until its rollout has ended. Nothing was started."),
        "host",
        facts,
    )


def plan_rollout(
    command: StartRollout,
    source: VersionSnapshot | None,
    target: VersionSnapshot | None,
    instances: Sequence[InstanceSnapshot],
) -> RolloutPlan:
    """Judge ``command`` against the world as it is: all or nothing.

    ``source`` and ``target`` are versions *of the service* or None; ``instances`` are those on the source version.
    Raises :class:`NotFound` for a version that is not the service's, :class:`Conflict` for the wrong direction, a
    build that did not succeed or a locked host, :class:`Invalid` for a host that is not on the source version.
    """
    if source is None:
        raise no_such("version", command.from_version_id)
    if target is None:
        raise no_such("version", command.to_version_id, "dest_version")
    check_target(command.action, source, target)
    chosen = choose(command.hosts, instances)
    held = [instance for instance in chosen if instance.holder]
    if held:
        raise busy(held)
    steps = tuple(
        PlannedStep(
            instance.id,
            instance.host_id,
            instance.hostname,
            instance.status,
            source,
            target,
            command.strategy.wave_of(position, len(chosen)),
        )
        for position, instance in enumerate(chosen)
    )
    return RolloutPlan(command.action, source, target, command.strategy, steps)
