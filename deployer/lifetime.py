"""Child processes that live no longer than we do, however we end."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


@functools.cache
def _prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    prctl: Callable[..., int] = ctypes.CDLL(None).prctl
    return prctl


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel to kill this process when its parent dies, even by KILL. The first thing in a forked child.

    The bond is to the parent's *thread* that forked. ``parent`` is the process id that the parent knew as its own: with
    it, a parent that died before the bond was made is noticed too. Elsewhere than on Linux nothing happens.
    """
    prctl = _prctl()
    if prctl is None:
        return
    prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def bond() -> Callable[[], None]:
    """What a child does between fork and exec so that it dies when we do; for ``preexec_fn``."""
    _prctl()  # looked up here: between fork and exec nothing may be loaded
    return functools.partial(die_with_parent, os.getpid())


def spawn(
    argv: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process that says everything to the file ``log`` and dies when this thread does.

    It leads a session of its own: a Ctrl-C in our terminal is ours to pass on, in an order that loses nothing.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=bond(),  # noqa: PLW1509 (it only calls the kernel)
        )


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Ask ``process`` to end; after ``patience`` seconds make it. What it leaves of its group is killed."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """The end of a process, in words."""
    code = process.poll()
    if code is None:
        return "still running"
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
