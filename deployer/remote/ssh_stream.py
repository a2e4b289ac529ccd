"""A TCP connection from the host to itself, inside the SSH connection, as asyncio's own reader and writer."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import asyncssh

_Channel = TypeVar("_Channel", bound=asyncssh.SSHClientChannel[bytes] | asyncssh.SSHTCPChannel[bytes])
_Session = TypeVar("_Session")


class _Stream(asyncssh.SSHTCPSession[bytes]):
    """Passes what asyncssh tells on to asyncio's protocol for streams."""

    def __init__(self, protocol: asyncio.StreamReaderProtocol, ended: Callable[[], None]) -> None:
        self._protocol = protocol
        self._ended = ended

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._protocol.connection_made(cast(asyncio.BaseTransport, chan))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._protocol.data_received(data)

    def eof_received(self) -> bool:
        return bool(self._protocol.eof_received())

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        # Whoever reads knows OSError, and nothing of asyncssh.
        self._protocol.connection_lost(None if exc is None else ConnectionResetError(str(exc)))
        self._ended()


async def opened(
    connection: asyncssh.SSHClientConnection, host: str, port: int, ended: Callable[[], None]
) -> tuple[StreamReader, StreamWriter]:
    """Connect to ``port``. ``ended`` is called when that connection has ended. Raises ``ChannelOpenError``."""
    loop = asyncio.get_running_loop()
    reader = StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    channel, _ = await to_the_end(connection.create_connection(lambda: _Stream(protocol, ended), host, port))
    return reader, StreamWriter(cast(asyncio.WriteTransport, channel), protocol, reader, loop)


async def to_the_end(opening: Coroutine[Any, Any, tuple[_Channel, _Session]]) -> tuple[_Channel, _Session]:
    """The channel that ``opening`` opens. One whose opening is cancelled would stay open on the host: it is opened to
    the end, and then closed."""
    task = asyncio.ensure_future(opening)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_abandon)
        raise


def _abandon(task: asyncio.Future[tuple[_Channel, _Session]]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result()[0].abort()
