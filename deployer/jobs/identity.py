"""Who a worker is, so that another one can tell whether it still lives."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path


@functools.cache
def _machine() -> str:
    """A name of this machine's processes: equal for two processes only if they see each other's process ids."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    seen = hashlib.sha256(f"{boot} {Path('/proc/self/ns/pid').readlink()}".encode()).hexdigest()
    return f"{os.uname().nodename}/{seen[:8]}"


def of_process(pid: int | None = None) -> str:
    """Which process of which machine this is."""
    return f"{_machine()}:{pid or os.getpid()}"


def is_here(name: str) -> bool:
    """Whether ``name`` is of a process of this machine."""
    return name.rpartition(":")[0] == _machine()


def is_dead(name: str) -> bool:
    """Whether ``name`` is of a process of this machine that has ended. False when it cannot be known."""
    return is_here(name) and not Path("/proc", name.rpartition(":")[2]).exists()
