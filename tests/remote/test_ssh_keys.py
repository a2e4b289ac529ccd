"""Who a host is, and who we are to it: nobody is believed because he is there."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from deployer.remote.runner import RunnerError, Unreachable
from deployer.remote.ssh import Account, KeyFile, Password, PrivateKey, SshHosts, SshTarget
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
from tests.remote.reaching import failure, greet, known_hosts, reach
from tests.sshd import Sshd, fingerprint, make_key, missing_sshd, public_key

# Who it is


def test_an_unknown_host_key_is_shown_and_never_accepted(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    error = failure(HostKeyUnknown, sshd.target(tmp_path, host_keys=()), user)
    assert isinstance(error, HostKeyUnknown)
    assert (error.key, error.fingerprint) == (sshd.host_key, fingerprint(sshd.host_keys[0]))
    assert error.fingerprint in error.remedy
    assert "approve it on the host's page or with deployer host trust" in error.remedy
    assert not list((user / ".ssh").iterdir())
    assert reach(sshd.target(tmp_path, host_keys=(error.key,)), user) == "hello"


def test_a_host_key_that_is_too_long_to_be_approved_here_says_where_else() -> None:
    known = "approve it on the host's page"
    for length, words in ((1396, known), (2764, "too long to be approved here")):
        error = HostKeyUnknown(SshTarget("host-1", "192.0.2.1", "/srv"), "ssh-rsa " + "A" * length, "SHA256:x")
        assert words in error.remedy


def test_a_changed_host_key_is_loud_and_nothing_is_sent(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    target = sshd.target(tmp_path, host_keys=(public_key(other),), secret=Password("s3cr3t"))
    error = failure(HostKeyChanged, target, user)
    assert isinstance(error, HostKeyChanged)
    assert (error.expected, error.found) == ((fingerprint(other),), fingerprint(sshd.host_keys[0]))
    assert f"HAS CHANGED: expected {error.expected[0]}, found {error.found}" in error.cause
    assert "s3cr3t" not in str(error)


def test_a_key_of_another_type_than_the_pinned_one_is_a_change_and_not_unknown(
    sshd: Sshd, user: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other", "ecdsa")
    error = failure(HostKeyChanged, sshd.target(tmp_path, host_keys=(public_key(other),)), user)
    assert isinstance(error, HostKeyChanged)
    assert error.found == fingerprint(sshd.host_keys[0])


def test_a_host_with_several_keys_is_known_by_any_of_them(user: Path, tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", host_keys=("ed25519", "ecdsa", "rsa")) as sshd:
        for file in sshd.host_keys:
            assert reach(sshd.target(tmp_path, host_keys=(public_key(file),)), user) == "hello"


def test_without_a_pinned_key_the_workers_known_hosts_count(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    target = sshd.target(tmp_path, host_keys=())
    place = f"[{sshd.address}]:{sshd.port}"
    known_hosts(user, "broken", "@what ever", f"{place} {sshd.host_key}")
    assert reach(target, user) == "hello"
    known_hosts(user, f"{place} {sshd.host_key}")
    subprocess.run(["ssh-keygen", "-H", "-f", str(user / ".ssh" / "known_hosts")], capture_output=True, check=True)
    assert sshd.address not in (user / ".ssh" / "known_hosts").read_text()
    assert reach(target, user) == "hello"
    known_hosts(user, f"[host-1]:{sshd.port} {sshd.host_key}")
    assert reach(target, user) == "hello"
    other = public_key(make_key(tmp_path / "other"))
    known_hosts(user, f"{place} {other}")
    failure(HostKeyChanged, target, user)
    known_hosts(user, f"@revoked {place} {sshd.host_key}", f"{place} {other}")
    failure(HostKeyChanged, target, user)


def test_a_key_that_is_revoked_by_one_name_of_a_host_is_trusted_by_none(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    target = sshd.target(tmp_path, host_keys=())
    place, name = f"[{sshd.address}]:{sshd.port}", f"[host-1]:{sshd.port}"
    for revoked, trusted in ((place, name), (name, place)):
        known_hosts(user, f"@revoked {revoked} {sshd.host_key}", f"{trusted} {sshd.host_key}")
        assert "revoked" in failure(HostKeyChanged, target, user).cause


def test_what_is_added_to_known_hosts_while_a_job_runs_counts_for_what_it_does_next(
    sshd: Sshd, user: Path, tmp_path: Path
) -> None:
    async def approved_meanwhile() -> str:
        async with SshHosts(account=Account(user, "")) as hosts:
            host = hosts.runner(sshd.target(tmp_path, host_keys=()))
            with pytest.raises(HostKeyUnknown):
                await greet(host)
            known_hosts(user, f"[{sshd.address}]:{sshd.port} {sshd.host_key}")
            return await greet(host)

    assert asyncio.run(approved_meanwhile()) == "hello"


def test_with_a_pinned_key_the_workers_known_hosts_do_not_count(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    known_hosts(user, f"[{sshd.address}]:{sshd.port} {sshd.host_key}")
    other = public_key(make_key(tmp_path / "other"))
    failure(HostKeyChanged, sshd.target(tmp_path, host_keys=(other,)), user)


def test_a_recorded_host_key_that_is_none_is_named(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    assert "host key recorded" in failure(KeyUnreadable, sshd.target(tmp_path, host_keys=("ssh-rsa x",)), user).cause


# Who we are


def test_a_wrong_key_is_named_with_the_user_and_what_was_tried(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    error = failure(AuthenticationFailed, sshd.target(tmp_path, secret=KeyFile(str(other)), user="root"), user)
    assert f"does not let root in (tried: key {other})" in error.cause
    assert "~root/.ssh/authorized_keys" in error.remedy
    error = failure(AuthenticationFailed, sshd.target(tmp_path, secret=PrivateKey(other.read_text())), user)
    assert f"tried: key {fingerprint(other)}" in error.cause


def test_a_password_that_is_not_taken_is_not_told(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    error = failure(AuthenticationFailed, sshd.target(tmp_path, secret=Password("s3cr3t")), user)
    assert "it takes nothing that this worker has" in error.cause
    with Sshd(tmp_path / "sshd", ("PasswordAuthentication yes",)) as other:
        error = failure(AuthenticationFailed, other.target(tmp_path, secret=Password("s3cr3t")), user)
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
def test_a_password_opens_a_host(password: str, user: Path) -> None:
    port = free_port(own_address(2))

    async def work(key: asyncssh.SSHKey) -> object:
        pinned = key.export_public_key().decode()
        target = SshTarget("h", own_address(2), "/", "ann", port, host_keys=(pinned,), secret=Password(password))
        async with SshHosts(account=Account(user, "")) as hosts:
            await hosts.runner(target).connect(1)
        return None

    expected = Unreachable if password == "right" else AuthenticationFailed
    with pytest.raises((expected, PermissionRefused)) as caught:
        asyncio.run(_serve_password(port, work))
    assert isinstance(caught.value, AuthenticationFailed) is (password == "wrong")


def test_a_key_may_come_as_text_and_have_a_passphrase(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    plain = sshd.key.read_text()
    assert reach(sshd.target(tmp_path, secret=PrivateKey(plain)), user) == "hello"
    locked = asyncssh.import_private_key(plain).export_private_key("pkcs8-pem", "open sesame").decode()
    assert reach(sshd.target(tmp_path, secret=PrivateKey(locked, "open sesame")), user) == "hello"
    for passphrase in ("", "wrong"):
        error = failure(KeyUnreadable, sshd.target(tmp_path, secret=PrivateKey(locked, passphrase)), user)
        assert "passphrase" in str(error)
        assert "wrong passphrase" not in str(error).replace("missing or wrong", "")


def test_an_encrypted_key_of_ssh_keygen_opens_with_its_passphrase(sshd: Sshd, user: Path, tmp_path: Path) -> None:
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
            in failure(KeyUnreadable, sshd.target(tmp_path, secret=secret), user).cause
        )
    else:
        assert reach(sshd.target(tmp_path, secret=secret), user) == "hello"
        failure(KeyUnreadable, sshd.target(tmp_path, secret=replace(secret, passphrase="wrong")), user)


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END"])
def test_a_broken_key_is_named_and_not_shown(text: str, sshd: Sshd, user: Path, tmp_path: Path) -> None:
    error = failure(KeyUnreadable, sshd.target(tmp_path, secret=PrivateKey(text)), user)
    assert "no private key, or a broken one" in error.cause
    file = tmp_path / "broken"
    assert "No such file" in failure(KeyUnreadable, sshd.target(tmp_path, secret=KeyFile(str(file))), user).cause
    file.write_text(text)
    assert str(file) in failure(KeyUnreadable, sshd.target(tmp_path, secret=KeyFile(str(file))), user).cause


def test_without_a_secret_the_workers_default_keys_open_the_host(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    target = sshd.target(tmp_path, secret=None)
    assert "it takes nothing" in failure(AuthenticationFailed, target, user).cause
    (user / ".ssh" / "id_rsa").write_text("broken")
    shutil.copy(sshd.key, user / ".ssh" / "id_ed25519")
    assert reach(target, user) == "hello"


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


def test_without_a_secret_the_workers_agent_opens_the_host(sshd: Sshd, user: Path, tmp_path: Path, agent: str) -> None:
    target = sshd.target(tmp_path, secret=None)
    assert "tried: the keys of the agent" in failure(AuthenticationFailed, target, user, agent=agent).cause
    environment = {**os.environ, "SSH_AUTH_SOCK": agent}
    subprocess.run(["ssh-add", "-q", str(sshd.key)], env=environment, check=True)
    assert reach(target, user, agent=agent) == "hello"
    assert "it takes nothing" in failure(AuthenticationFailed, target, user, agent="").cause
    failure(AuthenticationFailed, sshd.target(tmp_path, secret=Password("x")), user, agent=agent)


def test_what_the_worker_has_is_read_once_for_all_hosts(
    sshd: Sshd, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Account] = []
    known = Account._known_hosts
    monkeypatch.setattr(Account, "_known_hosts", lambda self: read.append(self) or known(self))
    known_hosts(user, f"[{sshd.address}]:{sshd.port} {sshd.host_key}")
    key = shutil.copy(sshd.key, user / ".ssh" / "id_ed25519")

    async def two_hosts() -> list[str]:
        async with SshHosts(account=Account(user, "")) as hosts:
            targets = [sshd.target(tmp_path, hostname=f"h{n}", host_keys=(), secret=None) for n in range(2)]
            said = [await greet(hosts.runner(targets[0]))]
            key.unlink()
            return [*said, await greet(hosts.runner(targets[1]))]

    assert asyncio.run(two_hosts()) == ["hello"] * 2
    assert len(read) == 1


def test_where_everything_is_as_given_the_workers_ssh_config_does_not_count(
    sshd: Sshd, user: Path, tmp_path: Path
) -> None:
    (user / ".ssh" / "config").write_text("Host *\n  ProxyJump nowhere.invalid\n  HostName nowhere.invalid\n  Port 1\n")
    failure(NameUnknown, sshd.target(tmp_path), user)
    assert reach(sshd.target(tmp_path, as_given=True), user) == "hello"


def test_the_workers_ssh_config_counts_where_the_target_leaves_room(sshd: Sshd, user: Path, tmp_path: Path) -> None:
    key = shutil.copy(sshd.key, tmp_path / "elsewhere")
    (user / ".ssh" / "config").write_text(
        f"Host web\n  HostName {sshd.address}\n  Port {sshd.port}\n  User root\n  IdentityFile {key}\n"
        "  RemoteCommand false\n  RequestTTY force\n  SendEnv *\n"
    )
    target = sshd.target(tmp_path, address="web", port=None, secret=None)
    assert reach(target, user) == "hello"
    assert "refuses" in failure(ConnectionRefused, replace(target, port=free_port(sshd.address)), user).cause
    (user / ".ssh" / "config").write_text("Port many\n")
    assert f"{user}/.ssh/config" in failure(RunnerError, target, user).remedy
