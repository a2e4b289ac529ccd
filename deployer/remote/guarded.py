"""Connections to addresses that somebody typed. What a name resolves to is judged, and exactly that is connected to: a
name that resolves to something else a moment later leads nowhere else.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

Permits = Callable[[str], bool]  # an address in its usual form


class NotPermitted(OSError):
    """No address that the name resolves to is one that may be connected to; ``address`` is the first of them."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is not an address that may be asked")
        self.address = address


def create_connection(host: str, port: int, timeout: float, permits: Permits) -> socket.socket:
    """As :func:`socket.create_connection`. Raises :class:`NotPermitted` and other OSErrors."""
    problem: OSError | None = None
    for where in _permitted(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), permits):
        try:
            return socket.create_connection(where, timeout)
        except OSError as error:
            problem = error
    raise problem or OSError(f"{host} has no address")


async def open_connection(host: str, port: int, permits: Permits) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As :func:`asyncio.open_connection`. Raises :class:`NotPermitted` and other OSErrors."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    problem: OSError | None = None
    for where in _permitted(found, permits):
        try:
            return await asyncio.open_connection(*where)
        except OSError as error:
            problem = error
    raise problem or OSError(f"{host} has no address")


def _permitted(found: list[Any], permits: Permits) -> list[tuple[str, int]]:
    where = list(dict.fromkeys((address[0], address[1]) for _, _, _, _, address in found))
    permitted = [one for one in where if permits(one[0])]
    if where and not permitted:
        raise NotPermitted(where[0][0])
    return permitted
