"""Loopback addresses of this test process alone.

A port that was free a moment ago can be taken by the time a server listens on it, if others choose ports of the same
address: another worker of this test run, or another test run on this machine.
"""

from __future__ import annotations

import os
import socket
from ipaddress import IPv4Address


def own_address(number: int) -> str:
    """The first, second or third address: 127.0.0.0/8 has room for three per process id, which has 22 bits at most."""
    assert number in (1, 2, 3)
    return str(IPv4Address(127 << 24 | number << 22 | os.getpid()))


def free_port(address: str) -> int:
    """A port of the address that nothing uses now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
