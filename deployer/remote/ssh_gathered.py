"""Fewer and larger writes. asyncssh writes each packet by itself, and an empty one before it: a connection with one
command takes 22 of them, each of which wakes up the host's sshd."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

import asyncssh

ENOUGH = 1 << 16  # bytes that are not kept waiting


class _Gathered:
    """What is written in one turn of the event loop goes out at the end of it, at once. It has what asyncssh uses of a
    transport; an ``abort`` drops what has not gone out, as that of a transport does."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting += data
        if len(self._waiting) >= ENOUGH:
            self._flush()

    def _flush(self) -> None:
        data, self._waiting = self._waiting, bytearray()
        if data:
            with contextlib.suppress(ConnectionError):  # a lost connection tells of itself
                self._transport.write(data)

    def abort(self) -> None:
        self._waiting.clear()
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def gather(connection: asyncssh.SSHClientConnection) -> None:
    """Let ``connection``, which was just made, write that way. There is no public door for it."""
    connection._transport = cast(asyncio.Transport, _Gathered(cast(asyncio.Transport, connection._transport)))
