"""The database beside an event loop that must not wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Protocol, TypeVar

from flask import Flask

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """Runs an operation without keeping the event loop waiting."""

    async def __call__(self, operation: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``operation`` returns."""
        ...


class Threads:
    """Each operation in a thread, in an application context of its own. The threads are nobody else's: no slow file or
    download stands before a heartbeat."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(8, "database")

    async def __call__(self, operation: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``operation`` returns."""

        def inside() -> T:
            with self._app.app_context():
                return operation(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, inside)

    def shutdown(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown()
