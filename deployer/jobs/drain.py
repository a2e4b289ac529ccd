"""The RQ job that carries rollouts out: take queued steps, run them side by side, keep their leases, settle them."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from flask import Flask, current_app
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from deployer import queue
from deployer.config import Settings
from deployer.jobs import identity
from deployer.jobs.check import check as check_host
from deployer.jobs.database import Database, Threads
from deployer.jobs.execute import Errand, ask, ask_what_is_left, execute
from deployer.jobs.fetch import Store
from deployer.jobs.journal import StepJournal
from deployer.jobs.ways import Ways
from deployer.operations import checks, host_keys, probes, steps
from deployer.operations.checks import CheckEnd, TakenCheck
from deployer.operations.probes import TakenProbe
from deployer.operations.steps import Said, Settlement, TakenStep
from deployer.remote.ssh import SshHosts

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

HEARTBEAT_SECONDS = 10.0
LOOK_SECONDS = 1.0  # how often a busy job looks for work that was accepted meanwhile
GATHER_SECONDS = 0.05  # what ends within this time is settled together
RECOVERIES = 10  # steps of lost workers that a full worker takes over at a time: their hosts have waited enough
PATIENCE_SECONDS = 15.0  # that a database may be away; less than what is left of a lease after a heartbeat
RETRY_SECONDS = 0.5
SAY_SECONDS = 0.4  # how often new log lines are written

_told_to_stop = False


def drain(rollout_id: int) -> None:
    """Work until no step waits, of this rollout or any other. Harmless when there is none: doorbells ring twice."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    log.debug("rung for rollout %s", rollout_id)
    asyncio.run(work(app))


async def work(app: Flask) -> None:
    """Work with the real database on real hosts until nothing waits."""
    settings = app.config["SETTINGS"]
    database = Threads(app)
    try:
        async with SshHosts() as hosts:
            to = ways(settings, hosts, database).to
            store = Store(settings.artifacts, settings.permitted)
            errands = Errands(
                functools.partial(execute, to, store),
                functools.partial(ask_what_is_left, to),
                functools.partial(ask, to),
                queue.ring_if_silent,
                functools.partial(check_host, to),
            )
            await Drain(database, errands, identity.of_process(), settings.slots).run()
    finally:
        database.shutdown()


def ways(settings: Settings, hosts: SshHosts, database: Database) -> Ways:
    """The ways of one job; keys that nobody has approved are offered in the database."""
    return Ways(
        settings.home,
        hosts,
        lambda place, key: database(host_keys.offer, place.host_id, key, place),
        settings.permitted,
    )


def stop() -> None:
    """Take no further step in this process; what runs comes to its end. Safe to call from a signal handler."""
    global _told_to_stop  # noqa: PLW0603 (one process runs one job)
    _told_to_stop = True


@dataclass(frozen=True)
class Errands:
    """What is done on machines. A seam: a simulation brings machines of its own."""

    carry_out: Errand
    look_after: Errand
    ask: Callable[[TakenProbe], Awaitable[str | None]]
    ring: Callable[[], object]
    check: Callable[[TakenCheck], Awaitable[CheckEnd]]


@dataclass
class Held:
    """A step that runs here."""

    step: TakenStep
    journal: StepJournal = field(default_factory=StepJournal)


@dataclass
class Drain:
    """One job's work: up to ``slots`` steps at a time."""

    database: Database
    errands: Errands
    name: str
    slots: int
    running: dict[asyncio.Task[Settlement], Held] = field(default_factory=dict)
    asking: dict[asyncio.Task[None], tuple[str, int]] = field(default_factory=dict)  # → whom: an instance, a host
    saying: asyncio.Lock = field(default_factory=asyncio.Lock)
    look_at: float = 0.0  # when to look for other things than room for the next step

    async def run(self) -> None:
        """Until nothing is queued and nothing runs."""
        background = [asyncio.create_task(self._keep_leases()), asyncio.create_task(self._speak())]
        try:
            while True:
                try:
                    await self._take()
                except DBAPIError:
                    if not self.running:
                        raise  # a worker's tick rings again
                    log.warning("the database could not be asked for work; what runs goes on")
                busy = {*self.running, *self.asking}
                if not busy:
                    break
                # A rollout that is accepted meanwhile must not wait for the slowest host of this one.
                done, others = await asyncio.wait(busy, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if done and others:
                    await asyncio.sleep(GATHER_SECONDS)
                await self._settle([task for task in self.running if task.done()])
                for question in [task for task in self.asking if task.done()]:
                    del self.asking[question]
                    _log_failure(question, "a host could not be asked")
            if _told_to_stop:
                await self.database(self.errands.ring)  # what waits is for the others
        finally:
            tasks = [*background, *self.running, *self.asking]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self) -> None:
        """Start what waits, in every rollout; ask the hosts of steps whose worker died how they are; ask what people
        want to know."""
        if _told_to_stop:
            return
        now = asyncio.get_running_loop().time()
        looking = now >= self.look_at or not self.running
        if looking:
            self.look_at = now + LOOK_SECONDS
            await self._look_around()
        waiting = await self.database(steps.waiting_rollouts)
        for rollout_id in waiting:
            free = self.slots - len(self.running)
            if free > 0:
                for step in await self.database(steps.take_steps, rollout_id, self.name, free):
                    self._begin(step, self.errands.carry_out)
        if looking and waiting and len(self.running) >= self.slots:
            await self.database(self.errands.ring)  # it may be more than we can do: another worker may have free hands

    async def _look_around(self) -> None:
        free = max(self.slots - len(self.running), RECOVERIES)
        for step in await self.database(steps.take_over, self.name, free):
            await self._let_go(step)
            self._begin(step, self.errands.look_after)
        for probe in await self.database(probes.waiting_probes):
            if ("instance", probe.place.instance_id) not in self.asking.values():
                self.asking[asyncio.create_task(self._ask(probe))] = "instance", probe.place.instance_id
        for check in await self.database(checks.waiting_checks):
            if ("host", check.place.host_id) not in self.asking.values():
                self.asking[asyncio.create_task(self._check(check))] = "host", check.place.host_id

    async def _let_go(self, step: TakenStep) -> None:
        """End an earlier attempt of ``step`` that still runs here: we slept past our own lease."""
        earlier = [task for task, one in self.running.items() if one.step.step_id == step.step_id]
        for task in earlier:
            task.cancel()
        await asyncio.gather(*earlier, return_exceptions=True)
        for task in earlier:
            self.running.pop(task, None)

    def _begin(self, step: TakenStep, errand: Errand) -> None:
        held = Held(step)
        self.running[asyncio.create_task(errand(step, held.journal))] = held

    async def _ask(self, probe: TakenProbe) -> None:
        running = await self.errands.ask(probe)
        await self._insist(probes.settle_probe, probe, running)

    async def _check(self, check: TakenCheck) -> None:
        end = await self.errands.check(check)
        await self._insist(checks.settle_check, check, end)

    async def _settle(self, done: list[asyncio.Task[Settlement]]) -> None:
        """Write how the steps ended; what they said last is written before, while they are still ours."""
        held = {task: self.running[task] for task in done}
        ends = []
        for task, one in held.items():
            if _log_failure(task, f"step {one.step.step_id} was not settled"):
                continue
            end = task.result()
            ends.append((one.step, end))
            step = one.step
            log.info(
                "rollout #%s: %s on %s, %s → %s: %s", step.rollout_id, step.place.service, step.place.hostname,
                step.from_label, step.to_label, "succeeded" if end.ok else end.error,
            )  # fmt: skip
        if ends:
            await self._say(held.values(), self._insist)
            await self._settle_all(ends)
        for task in done:
            del self.running[task]

    async def _settle_all(self, ends: list[tuple[TakenStep, Settlement]]) -> None:
        try:
            written = await self._insist(steps.settle_steps, ends)
        except Exception as problem:
            # Its lease runs out now, and whoever takes it over asks the host. One bad end must not spoil the others.
            if len(ends) > 1 and not _is_away(problem):
                for end in ends:
                    await self._settle_all([end])
            else:
                log.error("steps %s were not settled", [step.step_id for step, _ in ends], exc_info=problem)
            return
        for step, _ in ends:
            if step.step_id not in written:
                log.warning("step %s went on without us; our end of it was not written", step.step_id)

    async def _speak(self) -> None:
        while True:
            await asyncio.sleep(SAY_SECONDS)
            await self._say(self.running.values(), self.database)

    async def _say(self, held: Iterable[Held], write: Database) -> None:
        async with self.saying:  # so that lines on their way are written when this returns
            await self._write(held, write)

    async def _write(self, held: Iterable[Held], write: Database) -> None:
        drained = [(one, *one.journal.drain()) for one in held]
        said = [(one, lines, phase) for one, lines, phase in drained if lines or phase is not None]
        if not said:
            return
        try:
            await write(steps.say, [Said(one.step, lines, phase) for one, lines, phase in said])
        except DBAPIError:
            # A database that is away for a moment must not fail an upgrade.
            for one, lines, phase in said:
                one.journal.take_back(lines, phase)
            log.warning("what %s steps said could not be written yet", len(said))

    async def _keep_leases(self) -> None:
        """Renew all leases at once. A step whose lease went to somebody else is stopped here, before it can do harm."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            held = {one.step.step_id: one.step.attempt for one in self.running.values()}
            keepers = list(self.running)  # what is begun meanwhile has a lease of its own
            try:
                ours = await asyncio.wait_for(
                    self._insist(steps.keep_leases, held), steps.LEASE_SECONDS - 2 * HEARTBEAT_SECONDS
                )
            except (TimeoutError, DBAPIError):
                log.exception("the leases could not be renewed; stopping the steps before they end")
                ours = set()
            for task in keepers:
                if task in self.running and self.running[task].step.step_id not in ours:
                    task.cancel()

    async def _insist(self, operation: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As ``database``, again and again while the database is away. Every operation here is guarded, so one that was
        done and not heard of changes nothing the second time."""
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                return await self.database(operation, *args, **kwargs)
            except DBAPIError as problem:
                if not _is_away(problem) or asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(RETRY_SECONDS)


def _is_away(problem: Exception) -> bool:
    """Whether it is the database that failed, and not what was to be written."""
    return isinstance(problem, DBAPIError) and not isinstance(problem, DataError | IntegrityError | ProgrammingError)


def _log_failure(task: asyncio.Task[T], what: str) -> bool:
    """Whether ``task`` was cancelled or failed; the latter goes to the log."""
    if task.cancelled():
        return True
    problem = task.exception()
    if problem is not None:
        log.error(what, exc_info=problem)
    return problem is not None
