"""The RQ job that carries rollouts out: take queued steps, run them side by side, keep their leases, settle each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError

from deployer.jobs.execute import Errand, ask_what_is_left, execute
from deployer.jobs.journal import StepJournal
from deployer.operations import steps
from deployer.operations.steps import TakenStep

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

SLOTS = 50  # steps at a time in one job
HEARTBEAT_SECONDS = 10.0
LOOK_SECONDS = 1.0  # how often a busy job looks for work that was accepted meanwhile
PATIENCE_SECONDS = 15.0  # that a database may be away; less than what is left of a lease after a heartbeat
RETRY_SECONDS = 0.5
SAY_SECONDS = 0.4  # how often new log lines are written


def drain(rollout_id: int) -> None:
    """Work until no step waits, of this rollout or any other. Harmless when there is none: doorbells ring twice."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    log.debug("rung for rollout %s", rollout_id)
    asyncio.run(Drain(app).run())


def worker_name() -> str:
    """Which process of which machine this is."""
    return f"{os.uname().nodename}:{os.getpid()}"


@dataclass
class Held:
    """A step that runs here."""

    step: TakenStep
    journal: StepJournal = field(default_factory=StepJournal)


@dataclass
class Drain:
    """One job's work. The event loop never waits for the database: each operation runs in a thread, in an application
    context of its own."""

    app: Flask
    slots: int = SLOTS
    running: dict[asyncio.Task[None], Held] = field(default_factory=dict)
    # Their own, so that no slow file or download stands before a heartbeat.
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "database"))

    async def run(self) -> None:
        """Until nothing is queued and nothing runs."""
        heart = asyncio.create_task(self._keep_leases())
        try:
            while True:
                await self._take()
                if not self.running:
                    return
                # A rollout that is accepted meanwhile must not wait for the slowest host of this one.
                done, _ = await asyncio.wait(self.running, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    held = self.running.pop(task)
                    if not task.cancelled() and task.exception():
                        log.error("step %s was not settled", held.step.step_id, exc_info=task.exception())
        finally:
            heart.cancel()
            for task in self.running:
                task.cancel()
            await asyncio.gather(heart, *self.running, return_exceptions=True)
            self.threads.shutdown()

    async def _take(self) -> None:
        """Start what waits, in every rollout; and ask the hosts of steps whose worker died how they are."""
        for step in await self._database(steps.take_over, worker_name()):
            self._begin(Held(step), ask_what_is_left)
        for rollout_id in await self._database(steps.waiting_rollouts):
            free = self.slots - len(self.running)
            for step in await self._database(steps.take_steps, rollout_id, worker_name(), free) if free > 0 else ():
                self._begin(Held(step), execute)

    def _begin(self, held: Held, work: Errand) -> None:
        self.running[asyncio.create_task(self._work(held, work))] = held

    async def _work(self, held: Held, work: Errand) -> None:
        done = asyncio.Event()
        voice = asyncio.create_task(self._speak(held, done))
        try:
            end = await work(held.step, self.app.config["SETTINGS"].artifacts, held.journal)
        finally:
            # Never cancelled: a batch that is on its way to the database would be lost, and the last lines matter most.
            done.set()
            await voice
        if not await self._insist(steps.settle_step, held.step, end):
            log.warning("step %s went on without us; our end of it was not written", held.step.step_id)
            return
        step = held.step
        log.info(
            "rollout #%s: %s on %s, %s → %s: %s", step.rollout_id, step.service, step.hostname, step.from_label,
            step.to_label, "succeeded" if end.ok else end.error,
        )  # fmt: skip

    async def _speak(self, held: Held, done: asyncio.Event) -> None:
        while not done.is_set():
            await self._say(held)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), SAY_SECONDS)
        await self._say(held)

    async def _say(self, held: Held) -> None:
        lines, phase = held.journal.drain()
        if not lines and phase is None:
            return
        try:
            await self._database(steps.say, held.step, lines, phase)
        except DBAPIError:
            # A database that is away for a moment must not fail an upgrade.
            held.journal.take_back(lines, phase)
            log.warning("what step %s said could not be written yet", held.step.step_id)

    async def _keep_leases(self) -> None:
        """Renew all leases at once. A step whose lease went to somebody else is stopped here, before it can do harm."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            held = {one.step.step_id: one.step.attempt for one in self.running.values()}
            try:
                ours = await asyncio.wait_for(
                    self._insist(steps.keep_leases, held), steps.LEASE_SECONDS - 2 * HEARTBEAT_SECONDS
                )
            except (TimeoutError, DBAPIError):
                log.exception("the leases could not be renewed; stopping the steps before they end")
                ours = set()
            for task, one in self.running.items():
                if one.step.step_id in held and one.step.step_id not in ours:
                    task.cancel()

    async def _insist(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As ``_database``, again and again while the database is away. Every operation here is guarded, so one that
        was done and not heard of changes nothing the second time."""
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                return await self._database(operation, *args, **kwargs)
            except DBAPIError:
                if asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def _database(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def inside() -> T:
            with self.app.app_context():
                return operation(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self.threads, inside)
