"""How soon a page asks again. The server decides: the more look, the less often each of them asks."""

from __future__ import annotations

import time
from threading import Lock

FAST = 0.5  # seconds, while something in view moves
SLOW = 3.0  # while nothing does
SLOWEST = 5.0
BUSY = 250.0  # polls a second that a process should not have to answer; beyond, pages come less often


class Pace:
    """The polls that one process has answered lately, and what follows from it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._since = time.monotonic()
        self._polls = 0
        self._rate = 0.0
        self._fast = FAST

    def count(self) -> None:
        """One poll more."""
        now = time.monotonic()
        with self._lock:
            self._polls += 1
            passed = now - self._since
            if passed < 1.0:
                return
            self._rate = (self._rate + self._polls / passed) / 2
            self._fast = min(SLOWEST, max(FAST, self._fast * self._rate / BUSY))
            self._since, self._polls = now, 0

    def interval(self, *, moving: bool) -> str:
        """How soon to come back, as HTMX writes it."""
        seconds = self._fast if moving else max(SLOW, self._fast)
        return f"{round(seconds * 10) * 100}ms"
