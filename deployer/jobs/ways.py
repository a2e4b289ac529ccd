"""The ways to the hosts of one job: this machine itself, and SSH with one connection a host."""

from __future__ import annotations

import contextlib
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from deployer import sealing
from deployer.domain import reach
from deployer.domain.network import NOTHING_MORE, Permitted
from deployer.domain.reach import Credential, CredentialKind, is_loopback
from deployer.domain.release import Command
from deployer.domain.secrecy import hide_known
from deployer.domain.status import Reach
from deployer.operations.places import Place
from deployer.remote.local import LocalRunner
from deployer.remote.runner import CommandResult, Runner, RunnerError, Say
from deployer.remote.ssh import KeyFile, Password, PrivateKey, SshHosts, SshTarget
from deployer.remote.ssh import Secret as SshSecret
from deployer.remote.ssh_failures import HostKeyChanged, HostKeyUnknown, KeyUnreadable

log = logging.getLogger(__name__)
WayTo = Callable[[Place], Runner]  # raises RunnerError when this worker knows none
Offer = Callable[[Place, str], Awaitable[object]]  # what an unapproved key is shown to, and where it was seen


@dataclass(frozen=True)
class Ways:
    """``home`` has the worker's keys that open credentials."""

    home: Path
    hosts: SshHosts
    offer: Offer
    permitted: Permitted = NOTHING_MORE
    _opened: dict[Credential, SshSecret] = field(default_factory=dict, repr=False)

    def to(self, place: Place) -> Runner:
        """The way to reach the host. Raises :class:`RunnerError` when this worker knows none."""
        if place.reach is Reach.LOCAL:
            return LocalRunner(place.address, place.directory, self.permitted)
        if place.reach is Reach.SSH:
            target = self._target(place)
            return Introduced(self.hosts.runner(target), place, self.offer, _known(target.secret))
        raise RunnerError(
            f"This worker knows no way to reach {place.hostname} ({place.reach}).",
            "Start workers of the same Deployer release as the web process, then try again.",
        )

    def _target(self, place: Place) -> SshTarget:
        login = place.login
        return SshTarget(
            place.hostname,
            place.address,
            place.directory,
            login.user,
            login.port,
            login.jump,
            place.host_keys,
            self._secret(place.credential) if place.credential else None,
            as_given=self._is_below_us(place),
        )

    def _is_below_us(self, place: Place) -> bool:
        """Whether it is a host that the demo serves from our own home: no jump, no proxy and no other address of the
        worker's user leads to it."""
        return is_loopback(place.address) and self.home in Path(place.directory).parents

    def _secret(self, credential: Credential) -> SshSecret:
        if credential not in self._opened:  # opening takes as long as a tenth of a handshake
            self._opened[credential] = _secret(self.home, credential)
        return self._opened[credential]


@dataclass(frozen=True)
class Introduced:
    """The host behind ``runner``. A key of it that nobody has approved is offered to people, and refused."""

    runner: Runner
    place: Place
    offer: Offer
    secrets: tuple[str, ...] = field(default=(), repr=False)  # that let us in; the host knows them and may print them

    async def run(self, command: Command, say: Say) -> CommandResult:
        """As the runner does it; what it says has none of our secrets in it."""
        async with self._watched():
            result = await self.runner.run(command, lambda line: say(hide_known(line, self.secrets)))
        stdout = tuple(hide_known(line, self.secrets) for line in result.stdout)
        return replace(result, output=hide_known(result.output, self.secrets), stdout=stdout)

    async def put(self, source: Path, destination: str, deadline: float) -> None:
        """As the runner does it."""
        async with self._watched():
            await self.runner.put(source, destination, deadline)

    async def connect(self, port: int) -> tuple[StreamReader, StreamWriter]:
        """As the runner does it."""
        async with self._watched():
            return await self.runner.connect(port)

    async def refusals(self) -> list[RunnerError]:
        """As the runner does it."""
        async with self._watched():
            return [self._told(error) for error in await self.runner.refusals()]

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        try:
            yield
        except RunnerError as error:
            if isinstance(error, HostKeyUnknown | HostKeyChanged) and error.key:
                try:
                    await self.offer(self.place, error.key)
                except Exception:  # the refusal is what counts; the key is met again at the next try
                    log.exception("the key of %s could not be remembered", self.place.hostname)
            raise self._told(error) from None

    def _told(self, error: RunnerError) -> RunnerError:
        """The error, with none of our secrets in it: a host may have said them in how it refused us."""
        error.reword(lambda text: hide_known(text, self.secrets))
        return error


def _known(secret: SshSecret | None) -> tuple[str, ...]:
    if isinstance(secret, Password):
        return (secret.text,)
    return (secret.text, secret.passphrase) if isinstance(secret, PrivateKey) else ()


def _secret(home: Path, credential: Credential) -> SshSecret:
    if credential.kind is CredentialKind.FILE:
        return KeyFile(credential.public)
    try:
        secret: reach.Secret = sealing.open_credential(home, credential)
    except (sealing.CannotOpen, sealing.BadKeys) as problem:
        raise KeyUnreadable(
            str(problem),
            "Give all workers the same keys (CREDENTIAL_KEYS, or the file credential.key in their homes), or type the"
            " credential's secret in again.",
        ) from problem
    if credential.kind is CredentialKind.PASSWORD:
        return Password(secret.password)
    return PrivateKey(secret.key, secret.passphrase)
