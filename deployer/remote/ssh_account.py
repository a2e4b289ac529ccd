"""What the worker's user has below ~/.ssh, and the secrets of targets: each is read once (known_hosts: once until it
changes), and by a thread."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import asyncssh
from asyncssh.constants import DEFAULT_PORT
from asyncssh.public_key import get_default_certificate_algs

from deployer.remote.runner import RunnerError
from deployer.remote.ssh_failures import KeyUnreadable
from deployer.remote.ssh_target import KeyFile, Password, PrivateKey, SshTarget

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
GLOBAL_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
# In this order, so that a host is known by the same key whatever else it has. What is pinned goes before.
HOST_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-ed448",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
# They go before asyncssh's own choice: ChaCha20 costs it three cipher objects a packet, and AES-GCM one. A Ciphers line
# in ~/.ssh/config has its own order.
FIRST_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
Keys = tuple[asyncssh.SSHKey | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate], ...]
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Trust:
    """Which keys a host may show."""

    keys: tuple[asyncssh.SSHKey, ...]
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()

    @property
    def algorithms(self) -> list[str]:
        """What to ask the host for. A host with keys of several types must not look changed, so known ones go first;
        the others follow, so that a host that was set up anew shows what it has now."""
        first = get_default_certificate_algs() if self.authorities else []
        for key in self.keys:
            first = [*first, *key.sig_algorithms]
        return list(dict.fromkeys([*(name.decode() for name in first), *HOST_KEY_TYPES]))


@dataclass(frozen=True)
class Settings:
    """Everything a connection needs, ready to use."""

    options: asyncssh.SSHClientConnectionOptions
    jump: str
    trust: Trust
    keys: Keys
    password: str | None
    agent: str  # the path of its socket, "" if none is asked
    identities: tuple[bytes, ...] | None  # the only keys of the agent that count; None: all
    offered: tuple[str, ...]  # the keys in words, for people
    ciphers: str | tuple[()] = ()  # as asyncssh takes them

    @property
    def user(self) -> str:
        """As whom we come."""
        return self.options.username

    @property
    def port(self) -> int:
        """Where sshd listens."""
        return self.options.port


class Account:
    """The account of the worker's user: the files below ``home``, and the socket of its ssh-agent ("" if there is none;
    None is the one that the environment names)."""

    def __init__(self, home: Path | None = None, agent: str | None = None) -> None:
        self._ssh = (home or Path.home()) / ".ssh"
        self._agent = os.environ.get("SSH_AUTH_SOCK", "") if agent is None else agent
        self._read: dict[object, object] = {}
        self._lock = threading.Lock()

    def settings(self, target: SshTarget) -> Settings:
        """How to connect to ``target``. Blocks; raises :class:`RunnerError` when something cannot be read."""
        config = self._ssh / "config"
        counts = not target.as_given and os.access(config, os.R_OK)
        try:
            options = asyncssh.SSHClientConnectionOptions(
                host=target.address,
                port=target.port or (),
                username=target.user or (),
                config=[str(config)] if counts else None,
                known_hosts=None,
                client_keys=None,
                x509_trusted_certs=None,
                gss_kex=False,
                gss_auth=False,
                host_based_auth=False,
                agent_forwarding=False,
                x11_forwarding=False,
                request_pty=False,
                command=None,
                env={},
                send_env=(),
                encoding=None,
                login_timeout=0,
                connect_timeout=None,
                utf8_decode_errors="replace",
            )
        except (ValueError, OSError, asyncssh.Error) as error:
            raise RunnerError(
                f"The SSH settings for {target.name} do not work: {error}.",
                f"Correct {config} of the worker's user.",
            ) from error
        keys, offered = self._keys(target, options)
        agent = str(options.config.get("IdentityAgent", self._agent)) if target.secret is None else ""
        agent = "" if agent == "none" else str(Path(agent).expanduser()) if agent else ""
        return Settings(
            options=options,
            jump=target.jump or str(options.tunnel or ""),
            trust=self._trust(target, options),
            keys=keys,
            password=target.secret.text if isinstance(target.secret, Password) else None,
            agent=agent,
            identities=self._identities(options),
            offered=(*offered, "the keys of the agent") if agent else offered,
            ciphers=() if options.config.get("Ciphers") else FIRST_CIPHERS,
        )

    def _keys(self, target: SshTarget, options: asyncssh.SSHClientConnectionOptions) -> tuple[Keys, tuple[str, ...]]:
        secret = target.secret
        if isinstance(secret, Password):
            return (), ()
        if isinstance(secret, PrivateKey):
            key = self._once(secret, lambda: _parsed(secret.text.encode(), secret.passphrase, "The host's key"))
            return (key,), (f"key {key.get_fingerprint()}",)
        if isinstance(secret, KeyFile):
            keys = self._once(secret, lambda: _loaded(Path(secret.path).expanduser(), secret.passphrase))
            return keys, (f"key {secret.path}",)
        found = [(file, self._once(file, lambda file=file: _loaded_if_usable(file))) for file in self._files(options)]  # type: ignore[misc]
        return (
            tuple(key for _, keys in found for key in keys),
            tuple(f"key {file}" for file, keys in found if keys),
        )

    def _files(self, options: asyncssh.SSHClientConnectionOptions) -> list[Path]:
        named = options.config.get("IdentityFile")
        if isinstance(named, list):
            return [Path(str(name)).expanduser() for name in named]
        return [self._ssh / name for name in DEFAULT_KEYS]

    def _identities(self, options: asyncssh.SSHClientConnectionOptions) -> tuple[bytes, ...] | None:
        if not options.config.get("IdentitiesOnly"):
            return None
        found = []
        for file in self._files(options):
            with contextlib.suppress(OSError, ValueError):
                found.append(asyncssh.read_public_key(f"{file}.pub").public_data)
        return tuple(found)

    def _trust(self, target: SshTarget, options: asyncssh.SSHClientConnectionOptions) -> Trust:
        if target.host_keys:
            return Trust(tuple(self._once(text, lambda text=text: _pinned(target, text)) for text in target.host_keys))  # type: ignore[misc]
        # What somebody approves there while a job runs counts for what the job does next.
        known = self._once(("known_hosts", *map(_stamp, self._known_hosts_files)), self._known_hosts)
        port = options.port if options.port != DEFAULT_PORT else None
        names = dict.fromkeys((options.host_key_alias or options.host, target.hostname))
        spellings = [spelling for name in names for spelling in ((f"[{name}]:{port}", name) if port else (name,))]
        found = [known.match(spelling, "", None) for spelling in spellings]
        revoked = tuple(key for _, _, its, *_ in found for key in its)
        for keys, authorities, *_ in found:
            if keys or authorities:
                return Trust(tuple(keys), tuple(authorities), revoked)
        return Trust((), (), revoked)

    @property
    def _known_hosts_files(self) -> tuple[Path, ...]:
        return self._ssh / "known_hosts", self._ssh / "known_hosts2", GLOBAL_KNOWN_HOSTS

    def _known_hosts(self) -> asyncssh.SSHKnownHosts:
        known = asyncssh.SSHKnownHosts()
        for file in self._known_hosts_files:
            try:
                lines = file.read_text("utf-8", "replace").splitlines()
            except OSError:
                continue
            for line in lines:
                try:
                    known.load(line)
                except (ValueError, asyncssh.Error):
                    continue  # one broken line must not hide the others
        return known

    def _once(self, name: object, read: Callable[[], _Value]) -> _Value:
        """What ``read`` gave the first time, or the failure it gave."""
        with self._lock:
            if name not in self._read:
                try:
                    self._read[name] = read()
                except RunnerError as failure:
                    self._read[name] = failure
            found = self._read[name]
        if isinstance(found, RunnerError):
            raise type(found)(found.cause, found.remedy)
        return found  # type: ignore[return-value]


def _stamp(file: Path) -> tuple[int, int] | None:
    """Another one when the file is another one; None when there is none that can be read."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def fingerprints(keys: Sequence[asyncssh.SSHKey]) -> list[str]:
    """As ``ssh-keygen -lf`` prints them."""
    return [key.get_fingerprint() for key in keys]


def _pinned(target: SshTarget, text: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(text)
    except (ValueError, asyncssh.KeyImportError) as error:
        raise KeyUnreadable(
            f"A host key recorded for {target.name} cannot be read: {error}.",
            "Take it away and approve the key that the host shows.",
        ) from error


def _parsed(data: bytes, passphrase: str, name: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(data, passphrase or None)
    except asyncssh.KeyEncryptionError as error:
        if "bcrypt" in str(error):
            raise KeyUnreadable(
                f"{name} has a passphrase, and this worker lacks the Python package bcrypt to decrypt it.",
                "Install bcrypt on the worker, or use a key without a passphrase.",
            ) from error
        cause = "the passphrase is wrong" if passphrase else "it is encrypted and no passphrase is recorded"
        raise KeyUnreadable(f"{name} cannot be read: {cause}.", "Record the right passphrase with it.") from error
    except (ValueError, asyncssh.KeyImportError) as error:
        if passphrase or "passphrase" in str(error).lower():
            raise KeyUnreadable(
                f"{name} cannot be read: it is broken, or its passphrase is missing or wrong.",
                "Record the key again, from its BEGIN line to its END line, with the right passphrase.",
            ) from error
        raise KeyUnreadable(
            f"{name} cannot be read: it is no private key, or a broken one.",
            "Record the whole private key, from its BEGIN line to its END line.",
        ) from error


def _loaded(file: Path, passphrase: str) -> Keys:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise KeyUnreadable(
            f"The key file {file} cannot be read on the worker: {error.strerror}.",
            "Put the key there, readable for the worker's user, or correct the path.",
        ) from error
    key = _parsed(data, passphrase, f"The key file {file}")
    try:
        certificate = asyncssh.read_certificate(f"{file}-cert.pub")
    except (OSError, ValueError, asyncssh.KeyImportError):
        return (key,)
    return ((key, certificate), key)


def _loaded_if_usable(file: Path) -> Keys:
    try:
        return _loaded(file, "")
    except KeyUnreadable:  # as OpenSSH does without a terminal: the agent may have it
        return ()
