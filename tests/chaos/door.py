"""How workers come to some of the town's hosts by SSH: one real sshd that listens on the addresses of all of them."""

from __future__ import annotations

import getpass
from pathlib import Path

from deployer.demo.fleet import Place
from deployer.domain.machine import NewHost
from deployer.domain.reach import CredentialKind
from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.models import HostKey
from deployer.models.columns import utc_now
from deployer.operations import credentials, hosts
from deployer.operations.credentials import NewCredential
from tests.demo.tree import MARK
from tests.sshd import Sshd, fingerprint
from tests.world import ADMIN

CREDENTIAL = "chaos"


def hosts_behind(place: Place, size: int) -> dict[str, str]:
    """The first, third, … of so many hosts, which are reached by SSH: name → address."""
    return dict(list(place.addresses.items())[:size:2])


def door(home: Path, place: Place, size: int) -> Sshd:
    """Their sshd, not started yet. What runs through it has the town's mark."""
    addresses = list(hosts_behind(place, size).values())
    port = min(place.ssh_ports.values())
    settings = (
        "MaxStartups 1000:30:2000",
        "LogLevel INFO",
        f"SetEnv SHLVL=1 {MARK}={home}",
        *(f"ListenAddress {address}:{port}" for address in addresses),
    )
    return Sshd(home / "sshd", settings, address=addresses[0], port=port)


def add_credential(sshd: Sshd) -> None:
    """Workers show this key, which they have as a file."""
    credentials.add(NewCredential(CREDENTIAL, CredentialKind.FILE, str(sshd.key)), ADMIN)


def add_host(sshd: Sshd, name: str, address: str, directory: Path) -> int:
    """A host that is reached through it, with its key approved. Its id."""
    way = {"reach": Reach.SSH, "ssh_user": getpass.getuser(), "ssh_port": sshd.port, "credential": CREDENTIAL}
    host = hosts.add_host(NewHost(name, address, str(directory), **way), ADMIN)
    shown = {"key": sshd.host_key, "fingerprint": fingerprint(sshd.host_keys[0])}
    db.session.add(HostKey(host_id=host, approved=utc_now(), **shown))
    db.session.commit()
    return host
