"""A host as it is reached by SSH: data only."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PrivateKey:
    """A private key in OpenSSH or PEM text; ``passphrase`` is "" when it is not encrypted."""

    text: str = field(repr=False)
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True)
class KeyFile:
    """The path of a private key on the worker; ``passphrase`` is "" when it is not encrypted."""

    path: str
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True)
class Password:
    """A password."""

    text: str = field(repr=False)


Secret = PrivateKey | KeyFile | Password


@dataclass(frozen=True)
class SshTarget:
    """Where a host is, who it should be, and as whom we come.

    What is left empty is what ``ssh ADDRESS`` would take when the worker's user types it: ~/.ssh/config counts.
    """

    hostname: str  # what people call the host
    address: str  # what is connected to, and what health checks connect to on the host itself
    directory: str  # uploads go below it
    user: str = ""
    port: int | None = None
    jump: str = ""  # [user@]host[:port] of a bastion
    host_keys: tuple[str, ...] = ()  # "ssh-ed25519 AAAA…": if any, only these count, and known_hosts does not
    secret: Secret | None = None  # None: the worker's agent and default keys
    as_given: bool = False  # what is left empty is then the default of SSH, and ~/.ssh/config does not count

    @property
    def name(self) -> str:
        """The host in a sentence."""
        return self.hostname if self.hostname == self.address else f"{self.hostname} ({self.address})"
