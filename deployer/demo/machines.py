"""The demo's hosts as machines: where the SSH server of each listens, and the keys of both sides.

All of it is below ``<home>/ssh``: a private key for each host, the public half of the only key that they accept, and
the list of the servers to start, made anew by every start from what the database says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from deployer.private_files import put

USER = "demo"


@dataclass(frozen=True)
class Machine:
    """A directory behind an SSH server of its own."""

    hostname: str
    address: str
    port: int
    directory: str


def ssh_directory(home: Path) -> Path:
    """Where the demo keeps its keys."""
    return home / "ssh"


def host_key_file(home: Path, directory: str) -> Path:
    """The private key of the host in ``directory``: a host may get another name, and stays the same machine."""
    return ssh_directory(home) / f"{Path(directory).name}.key"


def accepted_key_file(home: Path) -> Path:
    """The public half of the only key that the hosts accept."""
    return ssh_directory(home) / "accepted.pub"


def make_keys(home: Path, directories: Iterable[str]) -> str:
    """Make the keys of the hosts, and the one that they accept: its private half is returned, and kept nowhere."""
    ssh_directory(home).mkdir(mode=0o700)
    for directory in directories:
        key, file = Ed25519PrivateKey.generate(), host_key_file(home, directory)
        put(file, _private(key))
        put(file.with_suffix(".pub"), _public(key))
    accepted = Ed25519PrivateKey.generate()
    put(accepted_key_file(home), _public(accepted))
    return _private(accepted)


def host_key(home: Path, directory: str) -> str:
    """The public key that the host in ``directory`` shows, as ``ssh-ed25519 AAAA…``."""
    return host_key_file(home, directory).with_suffix(".pub").read_text("ascii").strip()


def keep(home: Path, machines: Iterable[Machine]) -> None:
    """Let these be the machines to start."""
    ssh_directory(home).mkdir(mode=0o700, exist_ok=True)
    put(_list(home), json.dumps([asdict(machine) for machine in machines], indent=1))


def kept(home: Path) -> list[Machine]:
    """The machines to start."""
    return [Machine(**one) for one in json.loads(_list(home).read_text("utf-8"))]


def _list(home: Path) -> Path:
    return ssh_directory(home) / "machines.json"


def _private(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n"
