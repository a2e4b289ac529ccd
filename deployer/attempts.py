"""How often somebody may try a password. Counted in Redis, for all processes; in this process while Redis is away.

Three budgets: of the account, of the account from one address, of the address. The first could be used up by others to
keep the owner out, so a browser in which the owner has signed in before is judged apart, by a budget of its own.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import redis
from flask import current_app

if TYPE_CHECKING:  # loaded by who signs in first, because every command would wait for it
    from limits import RateLimitItem
    from limits.strategies import MovingWindowRateLimiter

T = TypeVar("T")
AWAY_SECONDS = 5.0  # for which Redis is not asked again
TIMEOUT_SECONDS = 0.5

# Tries in a minute, an hour.
OF_PAIR = "5/minute;20/hour"  # an account from one address
OF_ACCOUNT = "15/minute;100/hour"  # from all addresses
OF_ADDRESS = "30/minute;300/hour"  # an office behind one address may mistype that often
OF_DEVICE = "5/minute;30/hour"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Budget:
    """So many tries for whoever ``who`` is."""

    who: str
    limits: str


@dataclass(frozen=True)
class Attempt:
    """Somebody tries the password of ``name`` from ``address``; ``device`` is "" in a browser that is not known."""

    name: str
    address: str
    device: str = ""

    @property
    def own(self) -> Sequence[Budget]:
        """What the try is taken from beforehand, so that many at the same time are not more than allowed."""
        if self.device:
            return [Budget(_key("device", self.device, self.name), OF_DEVICE)]
        return [
            Budget(_key("pair", self.name, self.address), OF_PAIR),
            Budget(_key("account", self.name), OF_ACCOUNT),
        ]

    @property
    def shared(self) -> Sequence[Budget]:
        """What it is taken from once it has failed: many people may share an address."""
        return [] if self.device else [Budget(_key("address", self.address), OF_ADDRESS)]


class Counter:
    """Counts for one application."""

    def __init__(self, redis_url: str) -> None:
        from limits.storage import MemoryStorage, RedisStorage  # noqa: PLC0415
        from limits.strategies import MovingWindowRateLimiter  # noqa: PLC0415

        pool = redis.ConnectionPool.from_url(
            redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, retry=None
        )
        storage = RedisStorage("redis://", connection_pool=pool, key_prefix="deployer-attempts")
        self._common = MovingWindowRateLimiter(storage)
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def begin(self, attempt: Attempt) -> int:
        """Take a try. 0 when there was one, else in how many seconds there is one again."""
        return self._counting(lambda limiter: _wait(limiter, attempt))

    def failed(self, attempt: Attempt) -> None:
        """It was the wrong password."""

        def count(limiter: MovingWindowRateLimiter) -> None:
            for item, who in _items(attempt.shared):
                limiter.hit(item, who)

        self._counting(count)

    def succeeded(self, attempt: Attempt) -> None:
        """It was the right one: the account's budgets are whole again."""

        def forgive(limiter: MovingWindowRateLimiter) -> None:
            for item, who in _items(attempt.own):
                limiter.clear(item, who)

        self._counting(forgive)

    def _counting(self, count: Callable[[MovingWindowRateLimiter], T]) -> T:
        if time.monotonic() >= self._away_until:
            try:
                return count(self._common)
            except redis.RedisError as problem:
                self._away_until = time.monotonic() + AWAY_SECONDS
                log.warning("Redis does not answer (%s): this process counts attempts to sign in by itself", problem)
        return count(self._own)


def counter() -> Counter:
    """The counter of the current application."""
    with _LOCK:
        found: Counter | None = current_app.extensions.get("attempts")
        if found is None:
            found = current_app.extensions["attempts"] = Counter(current_app.config["REDIS_URL"])
        return found


_LOCK = threading.Lock()


def _wait(limiter: MovingWindowRateLimiter, attempt: Attempt) -> int:
    waits = [_seconds(limiter, item, who) for item, who in _items(attempt.shared) if not limiter.test(item, who)]
    if not waits:
        # All of them are asked, and not only up to the first that is used up: the longest wait is the true one.
        used_up = [(item, who) for item, who in _items(attempt.own) if not limiter.hit(item, who)]
        waits = [_seconds(limiter, item, who) for item, who in used_up]
    return max(waits, default=0)


def _seconds(limiter: MovingWindowRateLimiter, item: RateLimitItem, who: str) -> int:
    return max(1, math.ceil(limiter.get_window_stats(item, who).reset_time - time.time()))


def _items(budgets: Sequence[Budget]) -> list[tuple[RateLimitItem, str]]:
    return [(item, budget.who) for budget in budgets for item in _parsed(budget.limits)]


@functools.cache
def _parsed(text: str) -> list[RateLimitItem]:
    from limits import parse_many  # noqa: PLC0415

    return parse_many(text)


def _key(kind: str, *parts: str) -> str:
    """Of one length whatever was typed, and without saying in Redis whose password is tried."""
    return hashlib.sha256("\0".join((kind, *parts)).encode("utf-8", "replace")).hexdigest()[:32]
