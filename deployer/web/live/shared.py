"""What many viewers ask for at the same time is made once. Kept in the process: bounded, and safe for threads."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Generic, TypeVar

from flask import Flask, current_app

from deployer.web.live.pace import Pace

T = TypeVar("T")
MB = 1 << 20


class Shared(Generic[T]):
    """Values by key, up to ``most`` in weight together; those that were not asked for longest go first."""

    def __init__(self, most: int, weigh: Callable[[T], int] = lambda _: 1) -> None:
        self._most = most
        self._weigh = weigh
        self._lock = Lock()
        self._values: OrderedDict[Hashable, Future[T]] = OrderedDict()
        self._weights: dict[Hashable, int] = {}
        self._weight = 0

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``key``. Who asks first makes it, the others wait for that; what fails is made again."""
        with self._lock:
            known = self._values.get(key)
            if known is None:
                mine: Future[T] = Future()
                self._values[key] = mine
            else:
                self._values.move_to_end(key)
        if known is not None:
            return known.result()
        try:
            value = make()
        except BaseException as problem:
            with self._lock:
                self._forget(key, mine)
            mine.set_exception(problem)
            raise
        mine.set_result(value)
        self._keep(key, mine, value)
        return value

    def put(self, key: Hashable, value: T) -> None:
        """Have a newer value in the place of what is known."""
        made: Future[T] = Future()
        made.set_result(value)
        with self._lock:
            self._forget(key, self._values.get(key))
            self._values[key] = made
        self._keep(key, made, value)

    def __len__(self) -> int:
        return len(self._values)

    def _keep(self, key: Hashable, made: Future[T], value: T) -> None:
        weight = self._weigh(value)
        with self._lock:
            if self._values.get(key) is not made:
                return
            self._weights[key] = weight
            self._weight += weight
            while self._weight > self._most:
                oldest = next(known for known in self._values if known in self._weights)  # not one that is being made
                self._forget(oldest, self._values[oldest])

    def _forget(self, key: Hashable, made: Future[T] | None) -> None:
        if made is not None and self._values.get(key) is made:
            del self._values[key]
            self._weight -= self._weights.pop(key, 0)


class Kept:
    """What one process keeps for its viewers."""

    def __init__(self) -> None:
        self.moments: Shared[Any] = Shared(2_000)
        self.views: Shared[Any] = Shared(50)  # of at most a hundred rows each
        self.fragments: Shared[str] = Shared(16 * MB, len)
        self.answers: Shared[str] = Shared(16 * MB, len)
        self.pace = Pace()


def init_app(app: Flask) -> None:
    """Give the application its store. LIVE_SECONDS is how old what ``lately`` tells may be."""
    app.config.setdefault("LIVE_SECONDS", 0.5)
    app.extensions["live"] = Kept()


def kept() -> Kept:
    """The store of the current application."""
    store: Kept = current_app.extensions["live"]
    return store


def lately(
    key: Hashable, read: Callable[[], T], *, enough: Callable[[T], bool] = lambda _: True, moments: int = 1
) -> T:
    """What ``read`` tells, at most LIVE_SECONDS old, or so many times as old; read again when that is not ``enough``.

    All processes of a machine read in the same moments, so that their viewers come to be at the same revision.
    """
    seconds: float = current_app.config["LIVE_SECONDS"] * moments
    if not seconds:
        return read()
    moment = (key, int(time.monotonic() / seconds))
    value: T = kept().moments.get(moment, read)
    if not enough(value):
        value = read()
        kept().moments.put(moment, value)
    return value
