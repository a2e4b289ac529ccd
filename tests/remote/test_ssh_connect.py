"""The way to a host: a name and a remedy for whatever stands between, and what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from deployer.remote import http
from deployer.remote.runner import BadAnswer, Runner, RunnerError, TimedOut, Unreachable
from deployer.remote.ssh import Account, Password, Patience, SshHosts, SshTarget
from deployer.remote.ssh_connection import bastion_of
from deployer.remote.ssh_failures import (
    ConnectionRefused,
    HostKeyChanged,
    HostKeyUnknown,
    NameUnknown,
    PermissionRefused,
)
from tests.conftest import need
from tests.loopback import free_port, own_address
from tests.remote.reaching import failure, greet, known_hosts, reach
from tests.sshd import Sshd, missing_sshd

# What stands between


@pytest.mark.parametrize("name", ["no-such-host.invalid", "x" * 64 + ".example", "a..b"])
def test_a_name_that_cannot_be_resolved_is_named(name: str, sshd: Sshd, user: Path, tmp_path: Path) -> None:
    error = failure(NameUnknown, sshd.target(tmp_path, address=name), user)
    assert f"{name} of host-1 cannot be resolved" in error.cause


def test_a_closed_port_is_named(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    target = sshd.target(tmp_path, port=free_port(sshd.address))
    assert f"port {target.port}, refuses connections" in failure(ConnectionRefused, target, user).cause


def test_a_host_without_a_route_is_unreachable(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    assert (
        "cannot be reached" in failure(Unreachable, sshd.target(tmp_path, address="240.0.0.1"), user, connect=3).cause
    )


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((own_address(2), 0)) as server:
        yield server


def served(listener: socket.socket, serve: Callable[[socket.socket], None]) -> threading.Thread:
    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    serve(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    return thread


def test_every_time_out_names_its_phase(sshd: Sshd, user: Path, tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    target = sshd.target(tmp_path, port=port)
    error = failure(TimedOut, target, user, connect=0.3)
    assert f"Exchanging keys with host-1 ({sshd.address}), port {port}, took longer than 0.3 s" in error.cause
    filled = []
    with socket.socket() as full:
        full.bind((sshd.address, 0))
        full.listen(0)
        for _ in range(3):  # nobody accepts, so the queue is full and the next connection waits
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            filled.append(client)
        error = failure(TimedOut, sshd.target(tmp_path, port=full.getsockname()[1]), user, connect=0.3)
        assert error.cause.startswith("Connecting to host-1")
        for client in filled:
            client.close()


def test_a_host_that_hangs_while_it_authenticates_is_named(user: Path) -> None:
    port = free_port(own_address(2))

    class Slow(asyncssh.SSHServer):
        async def begin_auth(self, username: str) -> bool:
            await asyncio.sleep(60)
            return True

    async def do() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        async with asyncssh.listen(own_address(2), port, server_factory=Slow, server_host_keys=[key]):
            target = SshTarget("h", own_address(2), "/", port=port, host_keys=(key.export_public_key().decode(),))
            async with SshHosts(account=Account(user, ""), patience=Patience(connect=0.5)) as hosts:
                await greet(hosts.runner(target))

    with pytest.raises(TimedOut, match="Authenticating at h"):
        asyncio.run(do())


def test_something_that_is_no_sshd_is_named(
    sshd: Sshd, user: Path, tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployer.remote.ssh_connection.ATTEMPTS", 1)
    served(listener, lambda connection: connection.sendall(b"SSH-1.5-old\r\n"))
    error = failure(BadAnswer, sshd.target(tmp_path, port=listener.getsockname()[1]), user)
    assert "is no SSH server that this worker understands" in error.cause


def test_a_host_that_hangs_up_again_and_again_is_named(
    sshd: Sshd, user: Path, tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0.001)
    served(listener, lambda connection: None)
    error = failure(Unreachable, sshd.target(tmp_path, port=listener.getsockname()[1]), user)
    assert "closed the connection again and again" in error.cause
    assert "MaxStartups" in error.remedy


def test_handshakes_that_a_busy_sshd_drops_are_tried_again(user: Path, tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", ("MaxStartups 3:70:6", "LoginGraceTime 20")) as sshd:

        async def all_at_once() -> list[str]:
            async with SshHosts(account=Account(user, "")) as hosts:
                targets = [sshd.target(tmp_path, hostname=f"host-{number}") for number in range(16)]
                return await asyncio.gather(*(greet(hosts.runner(target)) for target in targets))

        assert asyncio.run(all_at_once()) == ["hello"] * 16
        assert "drop connection" in sshd.log(), sshd.log()


def test_no_more_handshakes_are_under_way_than_allowed(
    sshd: Sshd, user: Path, tmp_path: Path, listener: socket.socket
) -> None:
    held: list[socket.socket] = []

    async def count() -> int:
        async with SshHosts(at_once=2, account=Account(user, ""), patience=Patience(connect=5)) as hosts:
            targets = [sshd.target(tmp_path, port=listener.getsockname()[1], hostname=f"h{n}") for n in range(6)]
            waiting = [asyncio.ensure_future(greet(hosts.runner(target))) for target in targets]
            await asyncio.sleep(0.4)
            listener.settimeout(0.1)
            try:
                while True:
                    held.append(listener.accept()[0])
            except TimeoutError:
                pass
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return len(held)

    assert asyncio.run(count()) == 2
    for connection in held:
        connection.close()


# Through it


def test_hosts_behind_a_bastion_share_one_tunnel(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    with Sshd(tmp_path / "bastion", address=own_address(3), key=sshd.key) as bastion:
        known_hosts(user, f"[{bastion.address}]:{bastion.port} {bastion.host_key}")
        jump = f"root@{bastion.address}:{bastion.port}"

        async def three() -> list[str]:
            async with SshHosts(account=Account(user, "")) as hosts:
                targets = [sshd.target(tmp_path, hostname=f"h{n}", jump=jump) for n in range(3)]
                return await asyncio.gather(*(greet(hosts.runner(target)) for target in targets))

        assert asyncio.run(three()) == ["hello"] * 3
        assert bastion.connections() == 1
        target = sshd.target(tmp_path, jump=jump)
        (user / ".ssh" / "config").write_text(f"Host {sshd.address}\n  ProxyJump {jump}\n")
        assert reach(replace(target, jump=""), user) == "hello"
        assert bastion.connections() == 2
        error = failure(ConnectionRefused, replace(target, port=free_port(sshd.address)), user)
        assert "cannot be reached from its bastion" in error.cause
        failure(HostKeyChanged, replace(target, host_keys=(bastion.host_key,)), user)
        known_hosts(user)
        error = failure(HostKeyUnknown, target, user)
        assert isinstance(error, HostKeyUnknown)
        assert f"The host key of {bastion.address} is not known" in error.cause
        assert error.key == ""  # so that nobody approves it for the host behind
        assert "add it to the known_hosts file of the worker's user" in error.remedy


def test_a_bastion_that_is_lost_is_gone_through_again(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    with Sshd(tmp_path / "bastion", address=own_address(3), key=sshd.key) as bastion:
        known_hosts(user, f"[{bastion.address}]:{bastion.port} {bastion.host_key}")

        async def twice(runner: Runner) -> str:
            await greet(runner)
            bastion.signal_connections(signal.SIGKILL)
            await asyncio.sleep(0.2)
            return await greet(runner)

        assert reach(sshd.target(tmp_path, jump=f"root@{bastion.address}:{bastion.port}"), user, twice) == "hello"


@pytest.mark.parametrize(
    ("jump", "user", "host", "port", "before"),
    [
        ("b", "", "b", None, "none"),
        ("ann@b:2222", "ann", "b", 2222, "none"),
        ("a@b.example@c", "a@b.example", "c", None, "none"),
        ("[::1]:22", "", "::1", 22, "none"),
        ("ann@fe80::1", "ann", "fe80::1", None, "none"),
        ("one,two@three:4", "two", "three", 4, "one"),
    ],
)
def test_a_bastion_is_read_as_ssh_reads_it(jump: str, user: str, host: str, port: int | None, before: str) -> None:
    target = SshTarget("h", "10.0.0.1", "/srv", "me", 22, host_keys=("k",), secret=Password("x"))
    found = bastion_of(target, jump)
    assert found == SshTarget(host, host, "/", user, port, before)


@pytest.mark.parametrize("jump", ["", "@", "b:x", "b:0", "b:65536", "b:١", "a,"])
def test_a_bastion_that_cannot_be_read_is_refused(jump: str) -> None:
    with pytest.raises(RunnerError, match="Write it as user@host:port"):
        bastion_of(SshTarget("h", "10.0.0.1", "/srv"), jump)


def test_a_port_of_the_host_is_asked_through_the_connection(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    with socket.create_server((sshd.address, 0)) as listener:
        port = listener.getsockname()[1]
        asked: list[bytes] = []

        def serve(connection: socket.socket) -> None:
            asked.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 200_000)

        served(listener, serve)

        async def ask(runner: Runner) -> http.Answer:
            return await http.get(runner, sshd.address, port, "/version", 5)

        answer = reach(sshd.target(tmp_path), user, ask)
    assert answer == http.Answer(200, "x" * http.MAX_BODY)
    assert asked[0].startswith(b"GET /version HTTP/1.1\r\nHost: ")


def test_an_answer_that_is_cut_or_is_no_http_is_named_over_ssh_too(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    with socket.create_server((sshd.address, 0)) as listener:
        port = listener.getsockname()[1]
        answers = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"x" * 200_000, b""])

        def serve(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(next(answers))

        served(listener, serve)

        async def ask(runner: Runner) -> None:
            for _ in range(3):
                with pytest.raises(BadAnswer):
                    await http.get(runner, sshd.address, port, "/", 5)

        reach(sshd.target(tmp_path), user, ask)


def test_a_closed_port_of_the_host_is_named(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    port = free_port(sshd.address)
    with pytest.raises(Unreachable, match=f"Port {port} does not take connections: Connection refused"):
        reach(sshd.target(tmp_path), user, lambda runner: runner.connect(port))


def test_an_sshd_that_does_not_forward_is_named(user: Path, tmp_path: Path) -> None:
    need(missing_sshd())
    with (
        Sshd(tmp_path / "sshd", ("AllowTcpForwarding no",)) as sshd,
        pytest.raises(PermissionRefused, match=r"does not forward connections.*or check the service by a command"),
    ):
        reach(sshd.target(tmp_path), user, lambda runner: runner.connect(80))
