"""Clock, database, hosts, bells and workers together: how time passes, and how everything is mended at the end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError

from deployer.domain.errors import Refused
from deployer.domain.hosts import HostChoice
from deployer.domain.status import RolloutState, StepState
from deployer.operations import rollouts
from tests.model.clock import Clock
from tests.model.database import HOSTS, RUNS, Database
from tests.model.hosts import Fleet, Place
from tests.model.judge import Judge
from tests.model.workers import Bells, Worker
from tests.world import ADMIN

WORKERS = 2
UNLOCKED_SECONDS = 60  # after a worker's death nobody waits longer for its hosts than this
PATIENCE_SECONDS = 1200  # by then, everything that was accepted has ended
MANY = 5_000  # callbacks at one moment: more is a loop without an end


class Simulation:
    """One example."""

    def __init__(self, database: Database, bells: Bells) -> None:
        self.clock = Clock()
        self.database = database
        database.reset(self.clock)
        self.bells = bells
        bells.waiting, bells.away = 0, False
        places = {(host, service): Place(RUNS) for service, hosts in HOSTS.items() for host in hosts}
        self.fleet = Fleet(self.clock, places)
        self.judge = Judge(database.connection, self.fleet)
        self.graveyard: list[Worker] = []
        self._numbers = itertools.count(1)
        self.workers = [self._worker() for _ in range(WORKERS)]

    def _worker(self) -> Worker:
        return Worker(f"w{next(self._numbers)}", self.database, self.fleet, self.bells, self.judge.look)

    @property
    def wrong(self) -> list[str]:
        """Everything that was ever wrong."""
        return [*self.judge.wrong, *self.fleet.wrong]

    def act(self, operation: Callable[..., object], *args: Any) -> str:
        """What a person does; what is refused must have changed nothing. Returns how it went."""
        before = self.judge.seen
        try:
            self.database.run(operation, *args)
            return "done"
        except Refused as refusal:
            self.judge.look()
            if self.judge.seen != before:
                self.judge.wrong.append(f"refused, and yet something has changed: {refusal}")
            return f"refused: {refusal}"
        except DBAPIError:
            return "the database was away"
        finally:
            self.judge.look()

    def kill_worker(self, number: int) -> None:
        """A machine is gone; another one takes its place when somebody starts it."""
        self.workers[number].kill()
        self.graveyard.append(self.workers[number])

    def start_worker(self, number: int) -> None:
        """A new machine."""
        if not self.workers[number].alive:
            self.workers[number] = self._worker()
            self.workers[number].next_tick = self.clock.now

    def settle(self) -> None:
        """Let everybody who is awake do everything that is due at this moment, by turns."""
        for _ in range(MANY):
            busy = [worker.step() for worker in self.workers]
            if not any(busy):
                return
        raise AssertionError("the workers never come to rest")

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on, from one event to the next."""
        until = self.clock.now + seconds
        while True:
            self.settle()
            due = [self.fleet.next_event, *(worker.next_event for worker in self.workers)]
            moment = min((one for one in due if one is not None), default=math.inf)
            if moment > until:
                self.clock.now = until
                return
            self.clock.now = max(self.clock.now, moment)
            self.fleet.act()
            self.judge.compare()

    def heal(self) -> None:
        """Mend everything: then what was accepted comes to its end, and soon."""
        self.database.away, self.bells.away = None, False
        self.fleet.unreachable.clear()
        for number, worker in enumerate(self.workers):
            worker.awake = True
            self.start_worker(number)
        healed = self.clock.now
        while self._unfinished() and self.clock.now < healed + PATIENCE_SECONDS:
            for rollout in self.judge.seen.rollouts.values():
                if rollout.state is RolloutState.PAUSED:
                    self.act(rollouts.resume, rollout.id, HostChoice(everyone=True), ADMIN)
            self.pass_time(5.0)
            assert self.clock.now < healed + UNLOCKED_SECONDS or not self._orphans(), self._orphans()
        assert not self._unfinished(), f"accepted work that does not end: {self._unfinished()}"
        self.pass_time(5.0)  # commands that outlived their workers come to their end too
        assert not any(one.rollout_id for one in self.judge.seen.instances), "a lock was left"

    def _orphans(self) -> list[object]:
        """Steps that dead workers hold. As long as a worker lives it may take its time; a dead one must not."""
        names = {worker.job.name for worker in self.workers if worker.job}
        steps = self.judge.seen.steps.values()
        return [one for one in steps if one.state is StepState.RUNNING and one.worker not in names]

    def _unfinished(self) -> list[object]:
        asked = self.database.connection.execute("SELECT id FROM instance WHERE probe_by IS NOT NULL").fetchall()
        return [one for one in self.judge.seen.rollouts.values() if not one.state.is_final] + asked

    def bury(self) -> None:
        """Leave nothing to the garbage collector. What the dead do from here on is of no account."""
        self.database.away = "before"
        self.fleet.unreachable.update(host for host, _ in self.fleet.places)
        for worker in {*self.workers, *self.graveyard}:
            for job in [*worker.buried, *([worker.job] if worker.job else [])]:
                job.loop.bury()
                if job.task.done() and not job.task.cancelled():
                    job.task.exception()
