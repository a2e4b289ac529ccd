"""What the demo consists of: hosts, services, their versions, and which runs where. Data, and free addresses for it."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

from deployer.demo.artifacts import Behaviour
from deployer.domain.status import BuildStatus

HOSTS = tuple(f"demo-{number}" for number in range(1, 7))
LOCAL = HOSTS[-1]  # reached without SSH, as a worker's own machine is
# Below the ports that systems hand out by themselves, so that no passing connection can take one.
PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class DemoVersion:
    """A version and what its build became."""

    label: str
    ref: str
    description: str
    status: BuildStatus = BuildStatus.SUCCESS
    behaviour: Behaviour = Behaviour.OK


@dataclass(frozen=True)
class DemoService:
    """A service, its versions in the order of their ids, and what runs where: hostname → label."""

    name: str
    description: str
    versions: tuple[DemoVersion, ...]
    runs: dict[str, str]


@dataclass(frozen=True)
class Place:
    """Where the demo is on this machine: the address of each host, the port of each service on all of them, and the
    port of each host's SSH server."""

    addresses: dict[str, str]
    ports: dict[str, int]
    ssh_ports: dict[str, int]


def _versions(*texts: str) -> tuple[DemoVersion, ...]:
    """Eight versions with every kind of end, described by ``texts``."""
    kinds = (
        ("1.0.0", "v1.0.0 (3f1c9ae)", BuildStatus.SUCCESS, Behaviour.OK),
        ("1.1.0", "v1.1.0 (82d4b07)", BuildStatus.SUCCESS, Behaviour.OK),
        ("1.2.0", "v1.2.0 (c05e61d)", BuildStatus.SUCCESS, Behaviour.OK),
        ("1.3.0-rc1", "release/1.3 (9a77f20)", BuildStatus.FAILED, Behaviour.OK),
        ("1.3.0", "v1.3.0 (5be2d18)", BuildStatus.SUCCESS, Behaviour.UNHEALTHY),
        ("1.3.1", "v1.3.1 (e41039c)", BuildStatus.SUCCESS, Behaviour.CRASH),
        ("1.4.0", "v1.4.0 (07fa5b6)", BuildStatus.SUCCESS, Behaviour.OK),
        ("1.5.0", "main (d2c8e93)", BuildStatus.BUILDING, Behaviour.OK),
    )
    return tuple(
        DemoVersion(label, ref, text, status, behaviour)
        for (label, ref, status, behaviour), text in zip(kinds, texts, strict=True)
    )


SERVICES = (
    DemoService(
        "billing",
        "Invoices, payments and refunds.",
        _versions(
            "First release: invoices and card payments.",
            "Refunds, in full and in part.",
            "Invoices by e-mail; amounts in the customer's currency.",
            "Direct debit. The build failed: two tests of the rounding rules do not pass.",
            "Direct debit. In this demo it starts, but its health check fails.",
            "Direct debit, with a new payment gateway. In this demo it crashes at start: a setting is missing.",
            "Direct debit, and reminders for unpaid invoices.",
            "Yearly statements. Building now.",
        ),
        dict.fromkeys(HOSTS[:2], "1.0.0") | dict.fromkeys(HOSTS[2:], "1.1.0"),
    ),
    DemoService(
        "catalog",
        "Products, prices and what is in stock.",
        _versions(
            "First release: products and prices.",
            "Stock per warehouse.",
            "Search with synonyms.",
            "Product bundles. The build failed: the schema check found a missing index.",
            "Product bundles. In this demo it starts, but its health check fails.",
            "Product bundles, with a smaller cache. In this demo it crashes at start: a setting is missing.",
            "Product bundles, and prices that change by the hour.",
            "Pictures in three sizes. Building now.",
        ),
        dict.fromkeys(HOSTS[:4], "1.1.0"),
    ),
    DemoService(
        "gateway",
        "The door to all the others: routing, sign-in, rate limits.",
        _versions(
            "First release: routing and sign-in.",
            "Rate limits per customer.",
            "Retries for requests that are safe to repeat.",
            "Routes without a restart. The build failed: the linter found an unused import.",
            "Routes without a restart. In this demo it starts, but its health check fails.",
            "Routes without a restart, rewritten. In this demo it crashes at start: a setting is missing.",
            "Routes without a restart, and clearer answers when a service is away.",
            "Fewer connections to each service. Building now.",
        ),
        dict.fromkeys(HOSTS[3:], "1.1.0"),
    ),
)


def choose_place() -> Place:
    """Loopback addresses and ports that nothing uses now. Random, so that two demos on one machine do not meet."""
    for _ in range(100):
        net = random.randint(2, 254)  # noqa: S311 (127.0.0.x and 127.0.1.x have uses on many machines)
        addresses = {hostname: f"127.0.{net}.{number}" for number, hostname in enumerate(HOSTS, 1)}
        ports = random.sample(PORTS, len(SERVICES) + len(HOSTS))
        if all(is_free(address, port) for address in addresses.values() for port in ports):
            service_ports, ssh_ports = ports[: len(SERVICES)], ports[len(SERVICES) :]
            return Place(
                addresses,
                dict(zip((service.name for service in SERVICES), service_ports, strict=True)),
                {hostname: port for hostname, port in zip(HOSTS, ssh_ports, strict=True) if hostname != LOCAL},
            )
    raise OSError("no free addresses were found in 127.0.0.0/8; the demo needs a Linux machine with a loopback device")


def free_port(address: str) -> int:
    """Another port of the address that nothing uses now. Raises ``OSError``."""
    for port in random.sample(PORTS, 100):
        if is_free(address, port):
            return port
    raise OSError(f"no free port was found at {address}")


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        # As servers do it: connections that have ended a moment ago are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
