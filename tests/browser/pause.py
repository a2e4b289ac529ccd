"""The demo's worker, made to wait."""

from __future__ import annotations

import os
import signal

from tests.demo.tree import Tree


def workers(demo: Tree) -> list[int]:
    """The process ids of the worker and, while it has one, of its work-horse."""
    return [pid for pid, command in demo.alive().items() if "deployer worker" in command]


class PausedWorker:
    """While it is paused, rollouts are accepted, hold their hosts, and wait: so there is time to look."""

    def __init__(self, demo: Tree) -> None:
        while len(pids := workers(demo)) != 1:
            pass  # a work-horse could be in the middle of a transaction, which would make everybody wait for it
        self._pid = pids[0]
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """It takes up what waits."""
        os.kill(self._pid, signal.SIGCONT)
