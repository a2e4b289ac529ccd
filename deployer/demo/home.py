"""The demo's home directory: whose it is now, and the lifeline of everything that runs below it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from deployer.demo.services import wait_for_end


class DemoError(Exception):
    """The demo cannot run, or not any longer. The message says why and what to do."""


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Make ``home`` and keep other demos out of it for the time of the block."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(home / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DemoError(f"{home} cannot be used: {error.strerror}. Choose another directory with --home.") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(file, 32, 0).decode("ascii", "replace").strip()
            raise DemoError(
                f"A demo runs in {home} already, as process {pid}. "
                "Stop it first, or choose another directory with --home."
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


@contextlib.contextmanager
def lifeline(home: Path, hosts: Path) -> Iterator[None]:
    """Hold the end of a FIFO for the time of the block; the services below ``hosts`` end when nobody holds it.

    The kernel lets go for us when we are killed, which no list of process ids would do.
    """
    fifo = home / "lifeline"
    if not (fifo.exists() and stat.S_ISFIFO(fifo.stat().st_mode)):
        os.mkfifo(fifo, 0o600)
    end = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield
    finally:
        os.close(end)
        wait_for_end(hosts)


@contextlib.contextmanager
def listening(address: str, port: int, remedy: str) -> Iterator[socket.socket]:
    """A socket that has the port (0: any free one), for another process to serve. ``remedy`` is for a port that cannot
    be had."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
            listener.listen()
        except OSError as error:
            raise DemoError(f"Port {port} of {address} cannot be used: {error.strerror}. {remedy}") from None
        yield listener
