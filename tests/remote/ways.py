"""The ways to a host, for rules that hold whichever it is."""

from __future__ import annotations

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from pathlib import Path

from deployer.domain.fence import Fence
from deployer.domain.release import Command
from deployer.remote.fenced import FencedRunner
from deployer.remote.local import LocalRunner
from deployer.remote.runner import CommandResult, Runner, Say
from deployer.remote.ssh import Account, KeyFile, SshHosts, SshTarget
from tests.sshd import Sshd

NOBODY = Account(Path("/nonexistent"), agent="")  # a worker whose user has no ~/.ssh


@dataclass(frozen=True)
class OverSsh:
    """A runner for one call at a time: each has a connection of its own."""

    target: SshTarget

    async def run(self, command: Command, say: Say) -> CommandResult:
        async with SshHosts(account=NOBODY) as hosts:
            return await hosts.runner(self.target).run(command, say)

    async def put(self, source: Path, destination: str, deadline: float) -> None:
        async with SshHosts(account=NOBODY) as hosts:
            await hosts.runner(self.target).put(source, destination, deadline)

    async def connect(self, port: int) -> tuple[StreamReader, StreamWriter]:
        raise NotImplementedError


class Way:
    """Local, or by ``sshd``."""

    def __init__(self, sshd: Sshd | None = None) -> None:
        self.sshd = sshd

    def runner(self, directory: Path) -> Runner:
        if self.sshd is None:
            return LocalRunner("127.0.0.1", str(directory))
        return OverSsh(self.sshd.target(directory))

    def home(self, directory: Path) -> Path:
        """What HOME is for a command."""
        return directory if self.sshd is None else Path.home()

    def run(self, command: Command, directory: Path) -> tuple[CommandResult, list[str]]:
        lines: list[str] = []
        result = asyncio.run(self.runner(directory).run(command, lines.append))
        return result, lines

    def worker(self, directory: Path, *argv: str, root: Path | None = None, step: int = 1) -> list[str]:
        """The command line of a process that runs ``argv`` on the host, prints what it hears, and waits for the end."""
        ssh = [] if self.sshd is None else [self.sshd.address, str(self.sshd.port), self.sshd.host_key]
        key = "" if self.sshd is None else str(self.sshd.key)
        place = [str(directory), str(root or ""), str(step), key, str(len(ssh)), *ssh]
        return [sys.executable, "-m", "tests.remote.ways", *place, *argv]


def _work(directory: str, root: str, step: str, key: str, count: str, *rest: str) -> None:
    ssh, argv = rest[: int(count)], rest[int(count) :]
    runner: Runner = LocalRunner("127.0.0.1", directory)
    if ssh:
        address, port, host_key = ssh
        secret = KeyFile(key)
        target = SshTarget("host-1", address, directory, port=int(port), host_keys=(host_key,), secret=secret)
        runner = OverSsh(target)
    if root:
        runner = FencedRunner(runner, root, Fence(int(step), 1))

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    asyncio.run(runner.run(Command(argv, 100, cwd=directory), say))


if __name__ == "__main__":
    _work(*sys.argv[1:])
