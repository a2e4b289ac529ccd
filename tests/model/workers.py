"""Simulated workers: a parent that looks around by the clock and answers bells, and the real drain job under it.

Each does one thing at a time, when it is told to; it can be killed or put to sleep before every one of them, so between
any two awaits of the job, also between a commit and the moment the job hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.exc import DBAPIError

from deployer import queue
from deployer.jobs import drain, sweeper
from deployer.jobs.drain import Drain
from deployer.operations import steps
from tests.model.clock import SimulatedLoop
from tests.model.database import Database
from tests.model.errands import Errands
from tests.model.hosts import Fleet

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Bells:
    """The doorbell: what lies in Redis. ``away``: it cannot be reached, and who rings is told so."""

    waiting: int = 0
    away: bool = False

    def ring(self, _rollout_id: int = 0) -> bool:
        """As ``queue.ring``."""
        self.waiting += not self.away
        return not self.away

    def ring_if_silent(self) -> None:
        """As ``queue.ring_if_silent``."""
        if not self.waiting:
            self.ring()

    def answer(self) -> bool:
        """Take one bell off, if one is there."""
        if self.away or not self.waiting:
            return False
        self.waiting -= 1
        return True


@dataclass(eq=False)
class Job:
    """A work-horse: a process of its own."""

    name: str
    drain: Drain
    loop: SimulatedLoop
    task: asyncio.Task[None]


@dataclass(eq=False)
class Worker:
    """A worker's parent process and the job it has under way. ``seen`` is called after each committed operation."""

    name: str
    database: Database
    fleet: Fleet
    bells: Bells
    seen: Callable[[], None]
    slots: int = 3
    alive: bool = True
    awake: bool = True
    job: Job | None = None
    next_tick: float = 0.0
    lost: list[str] = field(default_factory=list)  # jobs whose death the parent has not looked at yet
    buried: list[Job] = field(default_factory=list)  # never stepped again, kept so that no ``finally`` of theirs runs
    jobs: int = 0

    def step(self) -> bool:
        """Do one thing, if one is due."""
        if not self.alive or not self.awake:
            return False
        if self.lost:
            self._ask(steps.expire_leases, self.lost.pop())
        elif self.next_tick <= self.database.clock.now:
            self.next_tick = self.database.clock.now + queue.TICK_SECONDS
            self._ask(sweeper.tick, self.name, self.slots)
        elif self.job is not None:
            return self._work(self.job)
        elif self.bells.answer():
            self._start()
        else:
            return False
        return True

    @property
    def next_event(self) -> float | None:
        """When it has something to do, if nobody rings and no command ends before."""
        if not self.alive or not self.awake:
            return None
        timer = self.job.loop.next_timer if self.job else None
        return self.next_tick if timer is None else min(timer, self.next_tick)

    def kill_job(self) -> None:
        """SIGKILL for the work-horse; its parent learns of it."""
        if self.job is not None:
            self.lost.append(self.job.name)
            self._bury()

    def kill(self) -> None:
        """The machine is gone: parent, job and all."""
        self.alive = False
        if self.job is not None:
            self._bury()

    def _start(self) -> None:
        self.jobs += 1
        name = f"{self.name}:{self.jobs}"
        loop = SimulatedLoop(self.database.clock)
        mine = Errands(self.fleet, name)
        errands = drain.Errands(mine.carry_out, mine.look_after, mine.ask, self.bells.ring_if_silent, mine.check)
        job = Drain(Inline(self.database, self.seen), errands, name, self.slots)
        self.job = Job(name, job, loop, loop.create_task(job.run()))

    def _work(self, job: Job) -> bool:
        if job.task.done():
            self.job = None
            if job.task.cancelled() or job.task.exception() is not None:
                self.lost.append(job.name)
            return True
        return job.loop.step()

    def _ask(self, operation: Callable[..., object], *args: Any) -> None:
        with contextlib.suppress(DBAPIError):
            self.database.run(operation, *args)
        self.seen()

    def _bury(self) -> None:
        assert self.job is not None
        self.fleet.cut(owner=self.job.name)
        self.buried.append(self.job)
        self.job = None


@dataclass
class Inline:
    """The job's way to the database: at once, with a chance to die or to sleep before it and after the commit."""

    database: Database
    seen: Callable[[], None]

    async def __call__(self, operation: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``operation`` returns."""
        await asyncio.sleep(0)
        try:
            return self.database.run(operation, *args, **kwargs)
        finally:
            self.seen()
            await asyncio.sleep(0)
