"""Connections: one for each target, opened when it is needed, kept for a little while, and opened again when lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import asyncssh
from asyncssh.constants import DEFAULT_PORT

from deployer.remote.runner import RunnerError, TimedOut
from deployer.remote.ssh_account import Account, Settings, fingerprints
from deployer.remote.ssh_failures import AuthenticationFailed, HostKeyChanged, HostKeyUnknown, hung_up, not_connected
from deployer.remote.ssh_handshake import Agent, Handshake
from deployer.remote.ssh_target import Password, SshTarget

ATTEMPTS = 6  # of a handshake that the host drops
KEEPALIVE_COUNT = 3
NO_JUMP = "none"


@dataclass(frozen=True)
class Patience:
    """Seconds."""

    connect: float = 30.0  # until somebody has authenticated, waiting for other handshakes left out
    idle: float = 10.0  # how long a connection that nobody uses is kept
    keepalive: float = 5.0  # after three of these without a sign of life, a connection is given up


class Link:
    """The way to one target."""

    def __init__(
        self,
        target: SshTarget,
        account: Account,
        agent: Agent,
        gate: asyncio.Semaphore,
        patience: Patience,
        link_to: Callable[[SshTarget], Link],
        is_bastion: bool = False,
    ) -> None:
        self.target = target
        self._account = account
        self._agent = agent
        self._gate = gate
        self._patience = patience
        self._link_to = link_to
        self._is_bastion = is_bastion
        self._settings: Settings | None = None
        self._opening = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._bastion: Link | None = None
        self._users = 0
        self._idle: asyncio.TimerHandle | None = None

    @property
    def user(self) -> str:
        """As whom we are there."""
        return self._settings.user if self._settings else self.target.user

    @property
    def host(self) -> str:
        """The address after the worker's ~/.ssh/config was asked."""
        return self._settings.options.host if self._settings else self.target.address

    @property
    def port(self) -> int:
        """Where sshd listens, after the same."""
        return self._settings.port if self._settings else self.target.port or DEFAULT_PORT

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """The connection, which stays open for as long as somebody uses it. Raises :class:`RunnerError`."""
        connection = await self.hold()
        try:
            yield connection
        finally:
            self.release()

    async def hold(self) -> asyncssh.SSHClientConnection:
        """As ``use``, for those who will :meth:`release` it later."""
        self._users += 1
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        try:
            async with self._opening:
                connection = self._connection
                if connection is None or connection.is_closed():
                    self.close()
                    connection = await self._open()
                return connection
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Nobody needs what was held."""
        self._users -= 1
        if self._users == 0:
            self._idle = asyncio.get_running_loop().call_later(self._patience.idle, self.close)

    def close(self) -> asyncssh.SSHClientConnection | None:
        """Hang up. What was hung up, if there was anything."""
        connection, self._connection = self._connection, None
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if connection is not None:
            connection.close()
        bastion, self._bastion = self._bastion, None
        if bastion is not None:
            bastion.release()
        return connection

    async def _open(self) -> asyncssh.SSHClientConnection:
        if self._settings is None:
            self._settings = await asyncio.to_thread(self._account.settings, self.target)
        settings = self._settings
        tunnel = None
        if settings.jump not in ("", NO_JUMP):
            bastion = self._link_to(bastion_of(self.target, settings.jump))
            tunnel = await bastion.hold()
            self._bastion = bastion
        try:
            async with self._gate:
                connection = await self._shake_hands(settings, tunnel)
        except BaseException:
            self.close()
            self._settings = None  # what was missing may be there at the next try
            raise
        self._connection = connection
        return connection

    async def _shake_hands(
        self, settings: Settings, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        handshake = Handshake(settings, self._agent)
        try:
            async with asyncio.timeout(self._patience.connect):
                for attempt in range(1, ATTEMPTS + 1):
                    handshake = Handshake(settings, self._agent)
                    try:
                        return await self._connect(settings, handshake, tunnel)
                    except (asyncssh.Error, OSError, ValueError) as error:
                        if attempt == ATTEMPTS or not _was_dropped(error, handshake):
                            raise self._failure(settings, handshake, error) from error
                    # A busy sshd drops new connections at random; all who were dropped must not come back at once.
                    await asyncio.sleep(random.uniform(0.1, 0.3) * 2**attempt)  # noqa: S311
        except TimeoutError:
            raise TimedOut(
                f"{handshake.phase} {self.target.name}, port {settings.port},",
                self._patience.connect,
                "See that the host is up and not overloaded, and that no firewall stands between.",
            ) from None
        raise AssertionError("the last attempt returns or raises")

    async def _connect(
        self, settings: Settings, handshake: Handshake, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        trust = settings.trust
        return await asyncssh.connect(
            self.target.address,
            self.target.port or (),
            options=settings.options,
            config=None,
            client_factory=lambda: handshake,
            tunnel=tunnel,
            known_hosts=(list(trust.keys), list(trust.authorities), list(trust.revoked)),
            server_host_key_algs=trust.algorithms,
            encryption_algs=settings.ciphers,
            keepalive_interval=self._patience.keepalive,
            keepalive_count_max=KEEPALIVE_COUNT,
        )

    def _failure(self, settings: Settings, handshake: Handshake, error: Exception) -> RunnerError:
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            expected = fingerprints(settings.trust.keys)
            if handshake.shown is None:
                found = "one that is revoked, or signed by nobody known"
                return HostKeyChanged(self.target, "", found, expected or ["another one"])
            # A bastion's key is none that could be approved for the host behind it.
            key = "" if self._is_bastion else handshake.shown.export_public_key().decode().strip()
            found = handshake.shown.get_fingerprint()
            if expected:
                return HostKeyChanged(self.target, key, found, expected)
            return HostKeyUnknown(self.target, key, found, self._is_bastion)
        if handshake.has_keys and isinstance(error, asyncssh.ConnectionLost | ConnectionError):
            return hung_up(self.target, settings.port, settings.user, handshake.tried)
        if handshake.has_keys and isinstance(error, asyncssh.Error):
            reason = "" if isinstance(error, asyncssh.PermissionDenied) else f" It said: {str(error).rstrip('.')}."
            return AuthenticationFailed(self.target, settings.user, handshake.tried, reason)
        return not_connected(self.target, settings.port, error)


def _was_dropped(error: Exception, handshake: Handshake) -> bool:
    """Whether the host hung up before anything was said that a second attempt would say again."""
    if handshake.has_keys or isinstance(error, ConnectionRefusedError):
        return False
    return isinstance(error, asyncssh.ConnectionLost | ConnectionError)


def bastion_of(target: SshTarget, jump: str) -> SshTarget:
    """The last of the hosts that ``jump`` names; those before it are its own bastions. Its host key is one of the
    worker's known_hosts. It is offered the key of ``target``, but never its password."""
    before, _, last = jump.rpartition(",")
    user, _, place = last.strip().rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    if not host or (port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536)):
        raise RunnerError(
            f"The bastion {jump} of {target.name} cannot be understood.", "Write it as user@host:port, or host alone."
        )
    return replace(
        target,
        hostname=host,
        address=host,
        directory="/",
        user=user,
        port=int(port) if port else None,
        jump=before or NO_JUMP,
        host_keys=(),
        as_given=False,
        secret=None if isinstance(target.secret, Password) else target.secret,
    )
