"""What must be true after every transaction, whoever made it; and what must have been true of the change."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar

from deployer.domain.progress import MAX_ATTEMPTS
from deployer.domain.status import Action, Evidence, InstanceStatus, RolloutState, StepState
from deployer.domain.transitions import ROLLOUT, STEP
from tests.model.hosts import Fleet, Slot

S = TypeVar("S", bound=StrEnum)


class StepRow(NamedTuple):
    id: int
    rollout_id: int
    instance_id: int
    wave: int
    state: StepState
    attempt: int
    worker: str


class RolloutRow(NamedTuple):
    id: int
    state: RolloutState
    wave: int
    stop_after: int
    action: Action


class InstanceRow(NamedTuple):
    id: int
    rollout_id: int | None
    status: InstanceStatus
    evidence: Evidence
    version: str
    slot: Slot


@dataclass(frozen=True)
class Seen:
    """The rows as they are at one moment."""

    steps: dict[int, StepRow]
    rollouts: dict[int, RolloutRow]
    instances: tuple[InstanceRow, ...]

    @classmethod
    def now(cls, connection: sqlite3.Connection) -> Seen:
        """Read them on a connection of our own, so that only what is committed is seen."""
        steps = connection.execute("SELECT id, rollout_id, instance_id, wave, state, attempt, worker FROM step")
        rollouts = connection.execute("SELECT id, state, wave, stop_after, action FROM rollout")
        instances = connection.execute(
            "SELECT i.id, i.rollout_id, i.status, i.evidence, v.label, h.hostname, s.name FROM instance i"
            " JOIN version v ON v.id = i.version_id JOIN host h ON h.id = i.host_id"
            " JOIN service s ON s.id = i.service_id"
        )
        return cls(
            {row[0]: StepRow(*row[:4], StepState(row[4]), *row[5:]) for row in steps},
            {row[0]: RolloutRow(row[0], RolloutState(row[1]), *row[2:4], Action(row[4])) for row in rollouts},
            tuple(
                InstanceRow(*row[:2], InstanceStatus(row[2]), Evidence(row[3]), row[4], (row[5], row[6]))
                for row in instances
            ),
        )


def _closure(table: Mapping[tuple[S, StrEnum], S]) -> frozenset[tuple[S, S]]:
    """Which state can become which, by any number of events."""
    found = {(state, state) for pair in table.items() for state in (pair[0][0], pair[1])}
    found |= {(before, after) for (before, _), after in table.items()}
    while True:
        more = {(a, d) for (a, b), (c, d) in itertools.product(found, found) if b is c} - found
        if not more:
            return frozenset(found)
        found |= more


STEPS = _closure(STEP)
ROLLOUTS = _closure(ROLLOUT)


@dataclass
class Judge:
    """Looks after each transaction and remembers what was wrong: an exception here would only end in a job's log."""

    connection: sqlite3.Connection
    fleet: Fleet
    wrong: list[str] = field(default_factory=list)
    seen: Seen = field(init=False)
    _version: int = -1
    _audited: int = 0
    _settled: Counter[int] = field(default_factory=Counter)
    _requeued: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.seen = Seen.now(self.connection)

    def look(self) -> None:
        """Judge what has changed since the last look."""
        version = self.connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        self._version = version
        before, self.seen = self.seen, Seen.now(self.connection)
        for check in (self._moves, self._locks, self._waves, self._audit):
            check(before, self.seen)
        self.compare()

    def compare(self) -> None:
        """What is recorded and not in doubt really runs, on every host that nobody works on."""
        for one in self.seen.instances:
            if one.rollout_id is None and one.evidence is not Evidence.UNVERIFIED:
                really = self.fleet.places[one.slot].version
                self._must(one.version == really, f"{one.slot} runs {really}; {one.version} is {one.evidence}")

    def _must(self, right: bool, text: str) -> None:
        if not right and text not in self.wrong:
            self.wrong.append(text)

    def _moves(self, before: Seen, after: Seen) -> None:
        for id_, old in before.steps.items():
            new = after.steps[id_]
            self._must((old.state, new.state) in STEPS, f"step {id_}: {old.state} became {new.state}")
            self._must(
                new.attempt in (old.attempt, old.attempt + 1), f"step {id_}: attempt {old.attempt}→{new.attempt}"
            )
            if old.state.is_final:
                self._must(new == old, f"step {id_} had ended and was changed: {old} → {new}")
            if old.state is StepState.QUEUED and new.state is StepState.RUNNING:
                rollout = before.rollouts[old.rollout_id]
                self._must(rollout.state.starts_steps, f"step {id_} was started while its rollout was {rollout.state}")
                self._must(old.wave == rollout.wave, f"step {id_} of wave {old.wave} was started in {rollout.wave}")
        for id_, was in before.rollouts.items():
            now = after.rollouts[id_]
            self._must((was.state, now.state) in ROLLOUTS, f"rollout {id_}: {was.state} became {now.state}")
            self._must(now.wave >= was.wave, f"rollout {id_}: back to wave {now.wave}")

    def _locks(self, _before: Seen, now: Seen) -> None:
        live = {(one.instance_id, one.rollout_id) for one in now.steps.values() if not one.state.is_final}
        held = {(one.id, one.rollout_id) for one in now.instances if one.rollout_id is not None}
        self._must(live == held, f"steps under way {sorted(live - held)} and locks {sorted(held - live)} do not match")
        for one in now.instances:
            if one.rollout_id is None:
                moving = one.status in (InstanceStatus.UPGRADING, InstanceStatus.REVERTING)
                self._must(not moving, f"{one.slot} is free and {one.status.name}")
            else:
                during = InstanceStatus.during(now.rollouts[one.rollout_id].action)
                self._must(one.status is during, f"{one.slot} is held and {one.status.name}")

    def _waves(self, _before: Seen, now: Seen) -> None:
        steps = defaultdict(list)
        for one in now.steps.values():
            steps[one.rollout_id].append(one)
        for id_, rollout in now.rollouts.items():
            mine = steps[id_]
            ended = all(one.state.is_final for one in mine)
            self._must(
                ended == rollout.state.is_final, f"rollout {id_} is {rollout.state}, all its steps final: {ended}"
            )
            started = max((one.wave for one in mine if one.attempt), default=0)
            early = [one.id for one in mine if one.wave < started and not one.state.is_final]
            self._must(not early, f"rollout {id_}: wave {started} began before the steps {early} had ended")
            waits = any(one.state is StepState.QUEUED for one in mine)
            failed = sum(one.state is StepState.FAILED for one in mine)
            self._must(not waits or failed < rollout.stop_after, f"rollout {id_} goes on after {failed} failures")

    def _audit(self, _before: Seen, now: Seen) -> None:
        rows = self.connection.execute(
            "SELECT id, verb, noun_id FROM audit_entry WHERE id > ? AND noun = 'step' ORDER BY id", (self._audited,)
        )
        for id_, verb, step_id in rows:
            self._audited = id_
            {"settle": self._settled, "requeue": self._requeued}[verb][step_id] += 1
        for id_, step in now.steps.items():
            ended = step.state in (StepState.SUCCEEDED, StepState.FAILED)
            self._must(self._settled[id_] == ended, f"step {id_} is {step.state}, settled {self._settled[id_]} times")
            self._must(self._requeued[id_] < MAX_ATTEMPTS, f"step {id_} was tried again {self._requeued[id_]} times")
