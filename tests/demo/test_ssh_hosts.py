"""The SSH servers of the demo's hosts, as a worker meets them: the real client against the real process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from deployer.demo.machines import USER, Machine, host_key, keep, make_keys, ssh_directory
from deployer.domain.release import Command
from deployer.remote.runner import CommandResult, Dropped, Runner
from deployer.remote.ssh import Account, PrivateKey, SshHosts, SshTarget
from deployer.remote.ssh_failures import AuthenticationFailed, HostKeyChanged
from tests.loopback import free_port, own_address

NOBODY = Account(Path("/nonexistent"), agent="")  # a worker whose user has no ~/.ssh


@dataclass
class Servers:
    """Two hosts of a demo, and the key that both accept."""

    home: Path
    machines: list[Machine]
    key: str
    process: subprocess.Popen[bytes]

    def target(self, number: int = 0) -> SshTarget:
        """How a worker reaches the host."""
        machine = self.machines[number]
        return SshTarget(
            machine.hostname,
            machine.address,
            machine.directory,
            USER,
            machine.port,
            host_keys=(host_key(self.home, machine.directory),),
            secret=PrivateKey(self.key),
        )

    def reach(self, work: Callable[[Runner], Awaitable[object]], target: SshTarget | None = None) -> object:
        """What ``work`` comes to with the host."""

        async def do() -> object:
            async with SshHosts(account=NOBODY) as hosts:
                return await work(hosts.runner(target or self.target()))

        return asyncio.run(do())

    def run(self, command: Command) -> tuple[CommandResult, list[str]]:
        """The command's end, and what it said."""
        lines: list[str] = []

        async def work(runner: Runner) -> CommandResult:
            return await runner.run(command, lines.append)

        result = self.reach(work)
        assert isinstance(result, CommandResult)
        return result, lines

    async def connected(self) -> asyncssh.SSHClientConnection:
        """A client that is none of ours, with the demo's key."""
        machine = self.machines[0]
        return await asyncssh.connect(
            machine.address,
            machine.port,
            username=USER,
            client_keys=[asyncssh.import_private_key(self.key)],
            known_hosts=None,
            config=None,
            agent_path=None,
        )


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    home = tmp_path / "home"
    machines = []
    for name, address in (("demo-1", own_address(1)), ("demo-2", own_address(2))):
        directory = home / "hosts" / name
        directory.mkdir(parents=True)
        machines.append(Machine(name, address, free_port(address), str(directory)))
    key = make_keys(home, [one.directory for one in machines])
    keep(home, machines)
    sockets = [socket.create_server((one.address, one.port)) for one in machines]
    descriptors = [one.fileno() for one in sockets]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployer.demo.sshd", str(home), *map(str, descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "SECRET_KEY": "never-on-a-host"},
        )
    for one in sockets:
        one.close()
    try:
        yield Servers(home, machines, key, process)
    finally:
        process.kill()
        process.wait()
    assert (home / "log").read_text() == ""


def test_a_command_runs_in_the_hosts_directory_with_an_environment_of_its_own(servers: Servers) -> None:
    async def ask() -> str:
        async with await servers.connected() as connection:
            return str((await connection.run("pwd && tr '\\0' '\\n' </proc/$$/environ", check=True)).stdout)

    directory, *environment = asyncio.run(ask()).splitlines()

    assert directory == servers.machines[0].directory
    assert f"HOME={directory}" in environment
    names = {one.partition("=")[0] for one in environment}
    assert names == {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG"}


@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("kill -s TERM $$", 143)], ids=["by itself", "by a signal"]
)
def test_the_end_of_a_command_is_told(servers: Servers, script: str, status: int) -> None:
    assert servers.run(Command(("sh", "-c", script), 10))[0].exit_status == status


def test_all_that_a_command_says_arrives_on_both_streams(servers: Servers) -> None:
    async def ask() -> asyncssh.SSHCompletedProcess:
        async with await servers.connected() as connection:
            return await connection.run("exec 3>&1 >&2 2>&3; head -c 3000000 /dev/zero; echo end >&2", encoding=None)

    result = asyncio.run(ask())

    assert (result.exit_status, result.stdout) == (0, b"end\n")
    assert result.stderr == bytes(3_000_000)


def test_a_command_may_close_one_stream_and_go_on_with_the_other(servers: Servers) -> None:
    async def ask() -> asyncssh.SSHCompletedProcess:
        async with await servers.connected() as connection:
            return await connection.run("exec >&-; sleep 0.2; echo end >&2")

    assert asyncio.run(ask()).stderr == "end\n"


def test_a_background_process_does_not_hold_up_the_end_of_its_command(servers: Servers) -> None:
    began = time.monotonic()
    result, _ = servers.run(Command(("sh", "-c", "sleep 30 & echo $!"), 20))

    assert result.ok
    assert time.monotonic() - began < 10
    pid = int(result.stdout[0])
    assert is_alive(pid)  # a daemon may be meant to stay
    os.kill(pid, signal.SIGKILL)


def test_a_file_arrives_whole(servers: Servers, tmp_path: Path) -> None:
    source, destination = tmp_path / "archive", Path(servers.machines[0].directory, "archive")
    source.write_bytes(os.urandom(3_000_000))

    servers.reach(lambda runner: runner.put(source, str(destination), 10))

    assert destination.read_bytes() == source.read_bytes()


def test_a_port_of_the_host_is_reached_through_its_connection(servers: Servers) -> None:
    with socket.create_server((servers.machines[0].address, 0)) as service:

        async def greet(reader: StreamReader, writer: StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        async def work(runner: Runner) -> bytes:
            async with await asyncio.start_server(greet, sock=service.dup()):
                reader, writer = await runner.connect(service.getsockname()[1])
                writer.write(b"hello\n")
                answer = await reader.read()
                writer.close()
                return answer

        assert servers.reach(work) == b"HELLO\n"


def test_nothing_but_the_host_itself_is_reached_through_its_connection(servers: Servers) -> None:
    other = servers.machines[1]

    async def ask() -> None:
        async with await servers.connected() as connection:
            await connection.open_connection(other.address, other.port)

    with socket.create_connection((other.address, other.port)):  # by itself, it is there
        pass
    with pytest.raises(asyncssh.ChannelOpenError):
        asyncio.run(ask())


def test_only_the_demos_key_and_only_its_user_come_in(servers: Servers) -> None:
    another = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    for changes in ({"secret": PrivateKey(another)}, {"user": "root"}):
        with pytest.raises(AuthenticationFailed):
            servers.reach(greet_host, replace(servers.target(), **changes))  # type: ignore[arg-type]
    assert servers.reach(greet_host) == 0


def test_each_host_has_a_key_of_its_own(servers: Servers) -> None:
    with pytest.raises(HostKeyChanged):
        servers.reach(greet_host, replace(servers.target(), host_keys=servers.target(1).host_keys))
    assert servers.reach(greet_host, servers.target(1)) == 0


def test_keys_are_for_their_owner_only(servers: Servers) -> None:
    directory = ssh_directory(servers.home)

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}
    assert servers.key not in [file.read_text() for file in directory.iterdir()]


@pytest.mark.parametrize("deaf", ["", "trap '' HUP; "], ids=["that hears it", "that ignores it"])
def test_what_runs_ends_with_its_connection(servers: Servers, deaf: str) -> None:
    async def ask() -> list[int]:
        connection = await servers.connected()
        process = await connection.create_process(f"{deaf}sleep 100 & echo $! $$; exec sleep 100")
        pids = [int(word) for word in (await process.stdout.readline()).split()]
        connection.abort()
        return pids

    pids = asyncio.run(ask())

    assert len(pids) == 2
    assert all(ends(pid) for pid in pids)


def test_what_does_not_watch_its_input_ends_with_the_servers_too(servers: Servers) -> None:
    async def ask() -> int:
        connection = await servers.connected()
        process = await connection.create_process("echo $$; exec sleep 100")
        pid = int(await process.stdout.readline())
        servers.process.kill()
        await connection.wait_closed()
        return pid

    assert ends(asyncio.run(ask()))


def test_what_runs_ends_with_the_servers_even_when_they_are_killed(servers: Servers) -> None:
    pids: list[int] = []

    def hear(line: str) -> None:
        pids.extend(int(word) for word in line.split())
        os.kill(servers.process.pid, signal.SIGKILL)

    # The shell does not do as it is told; what is below it does not know.
    command = Command(("sh", "-c", "trap '' HUP TERM; sh -c 'sleep 100; exit 1' & echo $! $$; sleep 100; exit 1"), 20)
    with pytest.raises(Dropped):
        servers.reach(lambda runner: runner.run(command, hear))

    assert len(pids) == 2
    assert all(ends(pid) for pid in pids)


async def greet_host(runner: Runner) -> object:
    return (await runner.run(Command(("true",), 10), print)).exit_status


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: int, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)
