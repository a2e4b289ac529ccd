"""Simulated time, and an event loop that lives in it and is run one callback at a time.

A loop that is stepped from outside can be left alone between any two awaits: for ever (its process was killed) or for a
while (its machine was asleep). Nothing here waits and nothing is random.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Clock:
    """Seconds since the start of the simulation: everybody's time, the database's too."""

    now: float = 0.0

    def sqlite_text(self, offset: float) -> str:
        """The moment ``offset`` seconds from now as ``columns.Now`` writes it on SQLite."""
        return f"{START + timedelta(seconds=self.now + offset):%Y-%m-%d %H:%M:%S.%f}"


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Just what tasks, futures, locks, sleeps and timeouts ask of a loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()
        self.tasks: list[asyncio.Task[Any]] = []

    def step(self) -> bool:
        """Run one callback: a task goes on to its next await. False when nothing is due."""
        while self._timers and self._timers[0][0] <= self._clock.now:
            self._ready.append(heapq.heappop(self._timers)[2])
        while self._ready:
            handle = self._ready.popleft()
            if handle.cancelled():
                continue
            asyncio._set_running_loop(self)
            try:
                handle._run()
            finally:
                asyncio._set_running_loop(None)
            return True
        return False

    @property
    def next_timer(self) -> float | None:
        """When something is due next, if no future is set from outside before."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def bury(self) -> None:
        """Let every task end now, so that nothing is left to the garbage collector. Only when nobody looks any more."""
        for _ in range(10_000):
            living = [task for task in self.tasks if not task.done()]
            if not living:
                return
            for task in living:
                task.cancel()
            while self.step():
                pass
            if self.next_timer is not None:
                self._clock.now = max(self._clock.now, self.next_timer)
        raise AssertionError("tasks that cannot be ended")

    def time(self) -> float:
        return self._clock.now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._clock.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, **options)
        self.tasks = [one for one in self.tasks if not one.done()]
        self.tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        raise AssertionError(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """``next_timer`` and ``step`` pass over it."""
