"""To which addresses a worker may open a connection because of what somebody typed. Judged on the address itself, after
every name is resolved: a name says nothing, and may say something else a moment later.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_NETWORKS = 100
# No host of a team is there: "this machine", link-local, where clouds tell a machine its secrets, multicast, reserved.
NOBODYS = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "169.254.0.0/16",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "192.0.0.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "::ffff:0:0:0/96",
            "64:ff9b:1::/48",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
            "fd00:ec2::/32",
            "fd20:ce::/32",
        ),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_LOWEST_32_BITS = 0xFFFFFFFF
_ISATAP = (0x00005EFE, 0x02005EFE)  # before an IPv4 address in the lower half


@dataclass(frozen=True)
class Permitted:
    """What an operator permits beside what is permitted anyway."""

    networks: tuple[Network, ...] = ()

    def for_host(self, text: str) -> bool:
        """Whether a host may have this address: its services are asked for their health there. Private networks and
        this machine are what hosts are in."""
        return all(self._is_listed(one) or not _is_nobodys(one) for one in _meanings(text))

    def for_download(self, text: str) -> bool:
        """Whether an artifact may be fetched from this address: from the public Internet, and what is listed."""
        return all(
            self._is_listed(one) or (one.is_global and not one.is_multicast and not _is_nobodys(one))
            for one in _meanings(text)
        )

    def _is_listed(self, address: Address) -> bool:
        # A wide network does not mean the cloud's secrets that are somewhere in it: these have to be named themselves.
        names_it = _nobodys_of(address)
        return any(
            address in network and (not names_it or any(_is_within(network, one) for one in names_it))
            for network in self.networks
        )


NOTHING_MORE = Permitted()


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks such as ``10.0.0.0/8`` or single addresses, parted by commas or blanks. Raises ValueError."""
    words = re.split(r"[\s,]+", text.strip()) if text.strip() else []
    if len(words) > MAX_NETWORKS:
        raise ValueError(f"more than {MAX_NETWORKS} networks")
    return tuple(ipaddress.ip_network(word) for word in words)


def _meanings(text: str) -> Iterator[Address]:
    """The address, and the one that is written into it for a gateway to take out."""
    address = ipaddress.ip_address(text)
    if not isinstance(address, ipaddress.IPv6Address):
        yield address
        return
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        inner = ipaddress.IPv4Address(int(address) & _LOWEST_32_BITS)
    if inner is None and (int(address) >> 32) & _LOWEST_32_BITS in _ISATAP:
        inner = ipaddress.IPv4Address(int(address) & _LOWEST_32_BITS)
    if inner is not None:
        yield inner
    if address.ipv4_mapped is None:  # such a one is nothing but another way to write the inner one
        yield address


def _nobodys_of(address: Address) -> list[Network]:
    return [network for network in NOBODYS if address in network]


def _is_nobodys(address: Address) -> bool:
    return bool(_nobodys_of(address))


def _is_within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)
