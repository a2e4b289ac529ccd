"""The way to a host: who it is, who we are, and a name and a remedy for whatever stands between."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from deployer.remote import http
from deployer.remote.runner import BadAnswer, Runner, RunnerError, TimedOut, Unreachable
from deployer.remote.ssh import Account, KeyFile, Password, Patience, PrivateKey, SshHosts, SshTarget
from deployer.remote.ssh_connection import bastion_of
from deployer.remote.ssh_failures import (
    AuthenticationFailed,
    ConnectionRefused,
    HostKeyChanged,
    HostKeyUnknown,
    KeyUnreadable,
    NameUnknown,
    PermissionRefused,
)
from tests.conftest import need
from tests.loopback import free_port, own_address
from tests.remote.test_local import shell
from tests.sshd import Sshd, fingerprint, make_key, missing_sshd, public_key

Work = Callable[[Runner], Awaitable[object]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the worker's user, with an empty ~/.ssh."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    return home


async def greet(runner: Runner) -> str:
    result = await runner.run(shell("echo hello"), lambda _line: None)
    return result.output


def reach(target: SshTarget, home: Path, work: Work = greet, agent: str = "", **patience: float) -> object:
    """What ``work`` comes to with the host, for the worker's user of ``home``."""

    async def do() -> object:
        async with SshHosts(account=Account(home, agent), patience=Patience(**patience)) as hosts:
            return await work(hosts.runner(target))

    return asyncio.run(do())


def failure(kind: type[RunnerError], target: SshTarget, home: Path, **more: object) -> RunnerError:
    """How reaching the host fails. Whatever it is, it names the host and says what to do."""
    with pytest.raises(kind) as caught:
        reach(target, home, **more)  # type: ignore[arg-type]
    assert type(caught.value) is kind
    assert caught.value.remedy
    return caught.value


# Who it is


def test_an_unknown_host_key_is_shown_and_never_accepted(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    error = failure(HostKeyUnknown, sshd.target(tmp_path, host_keys=()), home)
    assert isinstance(error, HostKeyUnknown)
    assert (error.key, error.fingerprint) == (sshd.host_key, fingerprint(sshd.host_keys[0]))
    assert error.fingerprint in error.remedy
    assert "approve it on the host's page or with deployer host trust" in error.remedy
    assert not list((home / ".ssh").iterdir())
    assert reach(sshd.target(tmp_path, host_keys=(error.key,)), home) == "hello"


def test_a_changed_host_key_is_loud_and_nothing_is_sent(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    target = sshd.target(tmp_path, host_keys=(public_key(other),), secret=Password("s3cr3t"))
    error = failure(HostKeyChanged, target, home)
    assert isinstance(error, HostKeyChanged)
    assert (error.expected, error.found) == ((fingerprint(other),), fingerprint(sshd.host_keys[0]))
    assert f"HAS CHANGED: expected {error.expected[0]}, found {error.found}" in error.cause
    assert "s3cr3t" not in str(error)


def test_a_key_of_another_type_than_the_pinned_one_is_a_change_and_not_unknown(
    sshd: Sshd, home: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other", "ecdsa")
    error = failure(HostKeyChanged, sshd.target(tmp_path, host_keys=(public_key(other),)), home)
    assert isinstance(error, HostKeyChanged)
    assert error.found == fingerprint(sshd.host_keys[0])


@pytest.mark.parametrize("pinned", [0, 1, 2])
def test_a_host_with_several_keys_is_known_by_any_of_them(pinned: int, home: Path, tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", host_keys=("ed25519", "ecdsa", "rsa")) as sshd:
        target = sshd.target(tmp_path, host_keys=(public_key(sshd.host_keys[pinned]),))
        assert reach(target, home) == "hello"


def known_hosts(home: Path, *lines: str) -> None:
    (home / ".ssh" / "known_hosts").write_text("".join(f"{line}\n" for line in lines))


def test_without_a_pinned_key_the_workers_known_hosts_count(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    target = sshd.target(tmp_path, host_keys=())
    place = f"[{sshd.address}]:{sshd.port}"
    known_hosts(home, "broken", "@what ever", f"{place} {sshd.host_key}")
    assert reach(target, home) == "hello"
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", home / ".ssh" / "known_hosts"], capture_output=True, check=False)
    known_hosts(home, f"[host-1]:{sshd.port} {sshd.host_key}")
    assert reach(target, home) == "hello"
    other = public_key(make_key(tmp_path / "other"))
    known_hosts(home, f"{place} {other}")
    failure(HostKeyChanged, target, home)
    known_hosts(home, f"@revoked {place} {sshd.host_key}", f"{place} {other}")
    failure(HostKeyChanged, target, home)


def test_with_a_pinned_key_the_workers_known_hosts_do_not_count(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    known_hosts(home, f"[{sshd.address}]:{sshd.port} {sshd.host_key}")
    other = public_key(make_key(tmp_path / "other"))
    failure(HostKeyChanged, sshd.target(tmp_path, host_keys=(other,)), home)


def test_a_recorded_host_key_that_is_none_is_named(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    assert "host key recorded" in failure(KeyUnreadable, sshd.target(tmp_path, host_keys=("ssh-rsa x",)), home).cause


# Who we are


def test_a_wrong_key_is_named_with_the_user_and_what_was_tried(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    error = failure(AuthenticationFailed, sshd.target(tmp_path, secret=KeyFile(str(other)), user="root"), home)
    assert f"does not let root in (tried: key {other})" in error.cause
    assert "~root/.ssh/authorized_keys" in error.remedy
    error = failure(AuthenticationFailed, sshd.target(tmp_path, secret=PrivateKey(other.read_text())), home)
    assert f"tried: key {fingerprint(other)}" in error.cause


def test_a_password_that_is_not_taken_is_not_told(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    error = failure(AuthenticationFailed, sshd.target(tmp_path, secret=Password("s3cr3t")), home)
    assert "it takes nothing that this worker has" in error.cause
    with Sshd(tmp_path / "sshd", ("PasswordAuthentication yes",)) as other:
        error = failure(AuthenticationFailed, other.target(tmp_path, secret=Password("s3cr3t")), home)
        assert "tried: password" in error.cause
        assert "s3cr3t" not in f"{error!r} {other.target(tmp_path, secret=Password('s3cr3t'))!r}"


async def _serve_password(port: int, work: Callable[[asyncssh.SSHKey], Awaitable[object]]) -> object:
    class Server(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("ann", "right")

    key = asyncssh.generate_private_key("ssh-ed25519")
    async with asyncssh.listen(own_address(2), port, server_factory=Server, server_host_keys=[key]):
        return await work(key)


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_password_opens_a_host(password: str, home: Path) -> None:
    port = free_port(own_address(2))

    async def work(key: asyncssh.SSHKey) -> object:
        pinned = key.export_public_key().decode()
        target = SshTarget("h", own_address(2), "/", "ann", port, host_keys=(pinned,), secret=Password(password))
        async with SshHosts(account=Account(home, "")) as hosts:
            await hosts.runner(target).connect(1)
        return None

    expected = Unreachable if password == "right" else AuthenticationFailed
    with pytest.raises((expected, PermissionRefused)) as caught:
        asyncio.run(_serve_password(port, work))
    assert isinstance(caught.value, AuthenticationFailed) is (password == "wrong")


def test_a_key_may_come_as_text_and_have_a_passphrase(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    plain = sshd.key.read_text()
    assert reach(sshd.target(tmp_path, secret=PrivateKey(plain)), home) == "hello"
    locked = asyncssh.import_private_key(plain).export_private_key("pkcs8-pem", "open sesame").decode()
    assert reach(sshd.target(tmp_path, secret=PrivateKey(locked, "open sesame")), home) == "hello"
    for passphrase in ("", "wrong"):
        error = failure(KeyUnreadable, sshd.target(tmp_path, secret=PrivateKey(locked, passphrase)), home)
        assert "passphrase" in str(error)
        assert "wrong passphrase" not in str(error).replace("missing or wrong", "")


def test_an_encrypted_key_of_ssh_keygen_opens_with_its_passphrase(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "locked"
    shutil.copy(sshd.key, file)
    file.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", str(file)], check=True, capture_output=True)
    secret = KeyFile(str(file), "open sesame")
    try:
        import bcrypt  # noqa: F401
    except ImportError:
        assert (
            "lacks the Python package bcrypt"
            in failure(KeyUnreadable, sshd.target(tmp_path, secret=secret), home).cause
        )
    else:
        assert reach(sshd.target(tmp_path, secret=secret), home) == "hello"
        failure(KeyUnreadable, sshd.target(tmp_path, secret=replace(secret, passphrase="wrong")), home)


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END"])
def test_a_broken_key_is_named_and_not_shown(text: str, sshd: Sshd, home: Path, tmp_path: Path) -> None:
    error = failure(KeyUnreadable, sshd.target(tmp_path, secret=PrivateKey(text)), home)
    assert "no private key, or a broken one" in error.cause
    file = tmp_path / "broken"
    assert "No such file" in failure(KeyUnreadable, sshd.target(tmp_path, secret=KeyFile(str(file))), home).cause
    file.write_text(text)
    assert str(file) in failure(KeyUnreadable, sshd.target(tmp_path, secret=KeyFile(str(file))), home).cause


def test_without_a_secret_the_workers_default_keys_open_the_host(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    target = sshd.target(tmp_path, secret=None)
    assert "it takes nothing" in failure(AuthenticationFailed, target, home).cause
    (home / ".ssh" / "id_rsa").write_text("broken")
    shutil.copy(sshd.key, home / ".ssh" / "id_ed25519")
    assert reach(target, home) == "hello"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of an ssh-agent."""
    need(None if shutil.which("ssh-agent") else "ssh-agent is not installed")
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    while not path.exists():
        assert process.poll() is None
    yield str(path)
    process.kill()
    process.wait()


def test_without_a_secret_the_workers_agent_opens_the_host(sshd: Sshd, home: Path, tmp_path: Path, agent: str) -> None:
    target = sshd.target(tmp_path, secret=None)
    assert "tried: the keys of the agent" in failure(AuthenticationFailed, target, home, agent=agent).cause
    environment = {**os.environ, "SSH_AUTH_SOCK": agent}
    subprocess.run(["ssh-add", "-q", str(sshd.key)], env=environment, check=True)
    assert reach(target, home, agent=agent) == "hello"
    assert "it takes nothing" in failure(AuthenticationFailed, target, home, agent="").cause
    failure(AuthenticationFailed, sshd.target(tmp_path, secret=Password("x")), home, agent=agent)


def test_the_workers_ssh_config_counts_where_the_target_leaves_room(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    key = shutil.copy(sshd.key, tmp_path / "elsewhere")
    (home / ".ssh" / "config").write_text(
        f"Host web\n  HostName {sshd.address}\n  Port {sshd.port}\n  User root\n  IdentityFile {key}\n"
        "  RemoteCommand false\n  RequestTTY force\n  SendEnv *\n"
    )
    target = sshd.target(tmp_path, address="web", port=None, secret=None)
    assert reach(target, home) == "hello"
    assert "refuses" in failure(ConnectionRefused, replace(target, port=free_port(sshd.address)), home).cause
    (home / ".ssh" / "config").write_text("Port many\n")
    assert f"{home}/.ssh/config" in failure(RunnerError, target, home).remedy


# What stands between


def test_a_name_that_cannot_be_resolved_is_named(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    error = failure(NameUnknown, sshd.target(tmp_path, address="no-such-host.invalid"), home)
    assert "no-such-host.invalid of host-1 cannot be resolved" in error.cause


def test_a_closed_port_is_named(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    target = sshd.target(tmp_path, port=free_port(sshd.address))
    assert f"port {target.port}, refuses connections" in failure(ConnectionRefused, target, home).cause


def test_a_host_without_a_route_is_unreachable(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    assert (
        "cannot be reached" in failure(Unreachable, sshd.target(tmp_path, address="240.0.0.1"), home, connect=3).cause
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


def test_every_time_out_names_its_phase(sshd: Sshd, home: Path, tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    target = sshd.target(tmp_path, port=port)
    error = failure(TimedOut, target, home, connect=0.3)
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
        error = failure(TimedOut, sshd.target(tmp_path, port=full.getsockname()[1]), home, connect=0.3)
        assert error.cause.startswith("Connecting to host-1")
        for client in filled:
            client.close()


def test_a_host_that_hangs_while_it_authenticates_is_named(home: Path) -> None:
    port = free_port(own_address(2))

    class Slow(asyncssh.SSHServer):
        async def begin_auth(self, username: str) -> bool:
            await asyncio.sleep(60)
            return True

    async def do() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        async with asyncssh.listen(own_address(2), port, server_factory=Slow, server_host_keys=[key]):
            target = SshTarget("h", own_address(2), "/", port=port, host_keys=(key.export_public_key().decode(),))
            async with SshHosts(account=Account(home, ""), patience=Patience(connect=0.5)) as hosts:
                await greet(hosts.runner(target))

    with pytest.raises(TimedOut, match="Authenticating at h"):
        asyncio.run(do())


def test_something_that_is_no_sshd_is_named(
    sshd: Sshd, home: Path, tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployer.remote.ssh_connection.ATTEMPTS", 1)
    served(listener, lambda connection: connection.sendall(b"SSH-1.5-old\r\n"))
    error = failure(BadAnswer, sshd.target(tmp_path, port=listener.getsockname()[1]), home)
    assert "is no SSH server that this worker understands" in error.cause


def test_a_host_that_hangs_up_again_and_again_is_named(
    sshd: Sshd, home: Path, tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0.001)
    served(listener, lambda connection: None)
    error = failure(Unreachable, sshd.target(tmp_path, port=listener.getsockname()[1]), home)
    assert "closed the connection again and again" in error.cause
    assert "MaxStartups" in error.remedy


def test_handshakes_that_a_busy_sshd_drops_are_tried_again(home: Path, tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", ("MaxStartups 3:70:6", "LoginGraceTime 20")) as sshd:

        async def all_at_once() -> list[str]:
            async with SshHosts(account=Account(home, "")) as hosts:
                targets = [sshd.target(tmp_path, hostname=f"host-{number}") for number in range(16)]
                return await asyncio.gather(*(greet(hosts.runner(target)) for target in targets))

        assert asyncio.run(all_at_once()) == ["hello"] * 16
        assert "drop connection" in sshd.log(), sshd.log()


def test_no_more_handshakes_are_under_way_than_allowed(
    sshd: Sshd, home: Path, tmp_path: Path, listener: socket.socket
) -> None:
    held: list[socket.socket] = []

    async def count() -> int:
        async with SshHosts(at_once=2, account=Account(home, ""), patience=Patience(connect=5)) as hosts:
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


def test_hosts_behind_a_bastion_share_one_tunnel(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    with Sshd(tmp_path / "bastion", address=own_address(3), key=sshd.key) as bastion:
        known_hosts(home, f"[{bastion.address}]:{bastion.port} {bastion.host_key}")
        jump = f"root@{bastion.address}:{bastion.port}"

        async def three() -> list[str]:
            async with SshHosts(account=Account(home, "")) as hosts:
                targets = [sshd.target(tmp_path, hostname=f"h{n}", jump=jump) for n in range(3)]
                return await asyncio.gather(*(greet(hosts.runner(target)) for target in targets))

        assert asyncio.run(three()) == ["hello"] * 3
        assert bastion.connections() == 1
        target = sshd.target(tmp_path, jump=jump)
        (home / ".ssh" / "config").write_text(f"Host {sshd.address}\n  ProxyJump {jump}\n")
        assert reach(replace(target, jump=""), home) == "hello"
        assert bastion.connections() == 2
        error = failure(ConnectionRefused, replace(target, port=free_port(sshd.address)), home)
        assert "cannot be reached from its bastion" in error.cause
        failure(HostKeyChanged, replace(target, host_keys=(bastion.host_key,)), home)
        known_hosts(home)
        error = failure(HostKeyUnknown, target, home)
        assert f"The host key of {bastion.address} is not known" in error.cause
        assert "add it to the known_hosts file of the worker's user" in error.remedy


def test_a_bastion_that_is_lost_is_gone_through_again(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    with Sshd(tmp_path / "bastion", address=own_address(3), key=sshd.key) as bastion:
        known_hosts(home, f"[{bastion.address}]:{bastion.port} {bastion.host_key}")

        async def twice(runner: Runner) -> str:
            await greet(runner)
            bastion.signal_connections(signal.SIGKILL)
            await asyncio.sleep(0.2)
            return await greet(runner)

        assert reach(sshd.target(tmp_path, jump=f"root@{bastion.address}:{bastion.port}"), home, twice) == "hello"


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


def test_a_port_of_the_host_is_asked_through_the_connection(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    with socket.create_server((sshd.address, 0)) as listener:
        port = listener.getsockname()[1]
        asked: list[bytes] = []

        def serve(connection: socket.socket) -> None:
            asked.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 200_000)

        served(listener, serve)

        async def ask(runner: Runner) -> http.Answer:
            return await http.get(runner, sshd.address, port, "/version", 5)

        answer = reach(sshd.target(tmp_path), home, ask)
    assert answer == http.Answer(200, "x" * http.MAX_BODY)
    assert asked[0].startswith(b"GET /version HTTP/1.1\r\nHost: ")


def test_an_answer_that_is_cut_or_is_no_http_is_named_over_ssh_too(sshd: Sshd, home: Path, tmp_path: Path) -> None:
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

        reach(sshd.target(tmp_path), home, ask)


def test_a_closed_port_of_the_host_is_named(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    port = free_port(sshd.address)
    with pytest.raises(Unreachable, match=f"Port {port} does not take connections: Connection refused"):
        reach(sshd.target(tmp_path), home, lambda runner: runner.connect(port))


def test_an_sshd_that_does_not_forward_is_named(home: Path, tmp_path: Path) -> None:
    need(missing_sshd())
    with (
        Sshd(tmp_path / "sshd", ("AllowTcpForwarding no",)) as sshd,
        pytest.raises(PermissionRefused, match=r"does not forward connections.*or check the service by a command"),
    ):
        reach(sshd.target(tmp_path), home, lambda runner: runner.connect(80))
