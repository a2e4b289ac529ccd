"""Hosts that are reached by SSH. One :class:`SshHosts` serves all the targets of a job."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from types import TracebackType

import asyncssh

from deployer.domain.release import Command
from deployer.remote import ssh_session, ssh_stream, ssh_upload
from deployer.remote.runner import CommandResult, Dropped, Runner, RunnerError, Say
from deployer.remote.ssh_account import Account
from deployer.remote.ssh_connection import Link, Patience
from deployer.remote.ssh_failures import PermissionRefused, port_closed
from deployer.remote.ssh_handshake import Agent
from deployer.remote.ssh_target import KeyFile, Password, PrivateKey, Secret, SshTarget

__all__ = ["Account", "KeyFile", "Password", "Patience", "PrivateKey", "Secret", "SshHosts", "SshTarget"]

CLOSING_SECONDS = 2.0
TRYING_SECONDS = 5.0  # until it is clear whether ports can be asked


class SshHosts:
    """The hosts of one job, as an async context manager: at most ``at_once`` handshakes are under way at a time, and
    everything is hung up at the end."""

    def __init__(self, at_once: int = 50, account: Account | None = None, patience: Patience | None = None) -> None:
        asyncssh.set_log_level(logging.WARNING)  # else it tells every step of every connection
        self._gate = asyncio.Semaphore(at_once)
        self._account = account or Account()
        self._patience = patience or Patience()
        self._agent = Agent()
        self._links: dict[tuple[SshTarget, bool], Link] = {}

    async def __aenter__(self) -> SshHosts:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Those behind a bastion first: they hang up through it.
        links = sorted(self._links.items(), key=lambda item: item[0][1])
        for are_bastions in (False, True):
            await _hang_up([link for (_, is_bastion), link in links if is_bastion is are_bastions])
        self._agent.close()

    def runner(self, target: SshTarget) -> Runner:
        """The host, for commands, files and connections. Nothing is opened before it is needed."""
        return SshRunner(self._link(target, is_bastion=False))

    def _link(self, target: SshTarget, is_bastion: bool) -> Link:
        if (target, is_bastion) not in self._links:
            self._links[target, is_bastion] = Link(
                target,
                self._account,
                self._agent,
                self._gate,
                self._patience,
                lambda bastion: self._link(bastion, is_bastion=True),
                is_bastion,
            )
        return self._links[target, is_bastion]


class SshRunner:
    """One host."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def run(self, command: Command, say: Say) -> CommandResult:
        """Run ``command`` in a session of its own, so that all of it can be ended at once."""
        async with self._link.use() as connection:
            return await ssh_session.run(connection, self._link.target, self._link.user, command, say)

    async def put(self, source: Path, destination: str, deadline: float) -> None:
        """Copy ``source`` to ``destination``, which must lie in the host's directory, or only what is missing there."""
        async with self._link.use() as connection:
            await ssh_upload.put(connection, self._link.target, self._link.user, source, destination, deadline)

    async def connect(self, port: int) -> tuple[StreamReader, StreamWriter]:
        """A connection from the host to ``port`` at its own address."""
        connection = await self._link.hold()
        hold = contextlib.ExitStack()  # let go of once, by whoever comes first
        hold.callback(self._link.release)
        try:
            return await ssh_stream.opened(connection, self._link.host, port, hold.close)
        except (asyncssh.Error, OSError) as error:
            hold.close()
            if isinstance(error, asyncssh.ChannelOpenError) and not connection.is_closed():
                raise port_closed(self._link.target, port, error) from error
            raise Dropped(self._link.target.name, f"port {port} was asked") from error
        except BaseException:
            hold.close()
            raise

    async def refusals(self) -> list[RunnerError]:
        """What sshd, or the login shell, keeps from whoever may run commands."""
        found: list[RunnerError] = []
        async with self._link.use() as connection:
            try:
                await ssh_upload.try_it(connection, self._link.target, self._link.user)
            except RunnerError as error:
                found.append(error)
        try:
            async with asyncio.timeout(TRYING_SECONDS):
                # The one port that somebody listens at; whether it can really be reached from there is no matter.
                _, writer = await self.connect(self._link.port)
                writer.close()
        except PermissionRefused as error:
            found.append(error)
        except (RunnerError, TimeoutError):
            pass
        return found


async def _hang_up(links: list[Link]) -> None:
    connections = [connection for link in links if (connection := link.close()) is not None]
    if not connections:
        return
    waiting = [asyncio.ensure_future(connection.wait_closed()) for connection in connections]
    await asyncio.wait(waiting, timeout=CLOSING_SECONDS)
    for connection, closed in zip(connections, waiting, strict=True):
        if not closed.done():
            connection.abort()
            closed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await closed
