"""Hosts that are not as they should be: too talkative, too slow, too full, in another time. Each trouble has a name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.domain import facts
from deployer.domain.facts import HostFacts
from deployer.domain.fence import Fence
from deployer.domain.recipe import HealthCheck, Probe, ReleaseRecipe
from deployer.domain.release import Task
from deployer.domain.status import Reach
from deployer.jobs.check import look_at
from deployer.jobs.deploy import Outcome, deploy
from deployer.operations.checks import CheckEnd
from deployer.operations.places import Place
from deployer.remote.fenced import FencedRunner
from deployer.remote.runner import BadAnswer, Runner, TimedOut, Unreachable
from deployer.remote.ssh import Patience, SshHosts, SshTarget
from deployer.remote.ssh_failures import LoginTalks, SessionRefused
from tests.conftest import need
from tests.loopback import own_address
from tests.remote.conftest import Notes
from tests.remote.reaching import failure, reach
from tests.remote.test_local import shell
from tests.remote.test_ssh_connect import served
from tests.remote.test_ssh_run import login, said
from tests.remote.test_ssh_upload import small_disk
from tests.remote.ways import NOBODY
from tests.sshd import Sshd, missing_sshd

SFTP_SERVER = "/usr/lib/openssh/sftp-server"


def check(target: SshTarget) -> CheckEnd:
    """What a test of the connection finds."""
    place = Place(0, 0, "", {}, target.hostname, target.address, Reach.SSH, target.directory, 0, 1)

    async def do() -> CheckEnd:
        async with SshHosts(account=NOBODY) as hosts:
            return await look_at(hosts.runner(target), place)

    return asyncio.run(do())


def warned(end: CheckEnd) -> list[str]:
    """The findings of a check, but for how full this machine is."""
    assert end.facts is not None, end
    return [str(note) for note in facts.warnings(HostFacts.load(end.facts)) if "are free on the disk" not in str(note)]


# Too talkative


def test_a_banner_before_the_login_is_no_matter(user: Path, tmp_path: Path) -> None:
    need(missing_sshd())
    (tmp_path / "banner").write_text("Authorized use only\x07 \x1b[31m\n" * 6_000)
    with Sshd(tmp_path / "sshd", (f"Banner {tmp_path / 'banner'}",)) as sshd:
        assert reach(sshd.target(tmp_path), user) == "hello"


def test_a_banner_at_which_sshd_itself_ends_is_no_refusal_of_our_key(user: Path, tmp_path: Path) -> None:
    need(missing_sshd())
    (tmp_path / "banner").write_text("Authorized use only\n" * 20_000)
    with Sshd(tmp_path / "sshd", (f"Banner {tmp_path / 'banner'}",)) as sshd:
        error = failure(Unreachable, sshd.target(tmp_path), user)
    assert f"port {sshd.port}, closed the connection while root was logging in" in error.cause
    assert "a Banner of more than 256 KiB" in error.remedy


def test_a_flood_in_the_place_of_a_greeting_is_no_ssh_server(user: Path, sshd: Sshd, tmp_path: Path) -> None:
    def flood(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"Welcome to a host that never stops talking\r\n" * 100)

    with socket.create_server((own_address(2), 0)) as listener:
        served(listener, flood)
        began = time.monotonic()
        error = failure(BadAnswer, sshd.target(tmp_path, port=listener.getsockname()[1]), user)
    assert "Too many banner lines" in error.cause
    assert time.monotonic() - began < 5


def test_a_login_that_never_stops_talking_is_named_at_the_deadline_and_fills_no_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        login(tmp_path, "exec yes Welcome") as sshd,
        pytest.raises(TimedOut, match="Waiting for the login shell of root"),
    ):
        said(sshd, tmp_path, shell("true", deadline=0.7))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KiB


@pytest.mark.parametrize("text", ["exec cat", "exec dash", "exec zsh", "exec git-shell -c x"])
def test_a_start_file_that_begins_another_shell_is_named(text: str, tmp_path: Path) -> None:
    if shutil.which(text.split()[1]) is None:
        pytest.skip(f"{text.split()[1]} is not installed")
    with (
        login(tmp_path, text) as sshd,
        pytest.raises(
            (SessionRefused, TimedOut), match=r"[Ll]ogin shell of root.*(begins another|begin no other) shell"
        ),
    ):
        said(sshd, tmp_path, shell("true", deadline=1.5))


@pytest.fixture
def talking(tmp_path: Path) -> Iterator[Sshd]:
    """A host whose login shell greets everybody: commands, and what should be a file transfer."""
    need(None if os.access(SFTP_SERVER, os.X_OK) else "sftp-server is not installed")
    with login(tmp_path, 'echo "Welcome to web-1, dear user"; eval "$1"') as sshd:
        sshd.stop()
        sshd.settings = (*sshd.settings, f"Subsystem sftp {SFTP_SERVER}")
        sshd.start()
        yield sshd


def test_a_login_that_greets_spoils_a_file_transfer_and_is_named_with_what_it_says(
    talking: Sshd, user: Path, tmp_path: Path
) -> None:
    target = talking.target(tmp_path)
    assert reach(target, user) == "hello"

    async def put(runner: Runner) -> None:
        await runner.put(Path(__file__), str(tmp_path / "copy"), 10)

    error = failure(LoginTalks, target, user, work=put)
    assert error.cause == (
        f"The login shell of root on {target.name} prints text where a file transfer begins: "
        '"Welcome to web-1, dear user".'
    )
    assert ".bashrc" in error.remedy
    assert not (tmp_path / "copy").exists()


def test_a_check_says_what_would_spoil_an_upgrade(talking: Sshd, tmp_path: Path) -> None:
    end = check(talking.target(tmp_path))
    (warning,) = warned(end)
    assert end.kind == "warnings"
    assert warning.startswith("An upgrade may fail here: The login shell of root on host-1")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("AllowTcpForwarding no", "Set AllowTcpForwarding local in its sshd_config"),
        ("Subsystem other /bin/true", "Set Subsystem sftp internal-sftp in its sshd_config"),
    ],
)
def test_a_check_says_what_sshd_does_not_let_us_do(setting: str, words: str, tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", (setting,)) as sshd:
        (warning,) = warned(check(sshd.target(tmp_path)))
        assert words in warning


def test_a_host_as_it_should_be_has_no_warning(sshd: Sshd, tmp_path: Path) -> None:
    assert warned(check(sshd.target(tmp_path))) == []


# Too slow


@contextlib.contextmanager
def narrow(sshd: Sshd, rate: int) -> Iterator[int]:
    """The port of a way to the host that takes so many bytes a second."""
    with socket.create_server((sshd.address, 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    far = socket.create_connection((sshd.address, sshd.port))
                    for one, other, chunk in ((near, far, rate // 20), (far, near, 65536)):
                        threading.Thread(target=pump, args=(one, other, chunk), daemon=True).start()

        def pump(one: socket.socket, other: socket.socket, chunk: int) -> None:
            with contextlib.suppress(OSError):
                while data := one.recv(chunk):
                    other.sendall(data)
                    if chunk < 65536:
                        time.sleep(len(data) / rate)
            for end in (one, other):
                end.close()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_host_that_reads_slowly_is_waited_for_and_not_taken_for_dead(
    sshd: Sshd, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployer.remote.ssh_upload.QUICK", 0.05)  # as it is to the seconds of a real keepalive
    archive = tmp_path / "archive"
    archive.write_bytes(os.urandom(450_000))

    async def put(runner: Runner) -> None:
        await runner.put(archive, str(tmp_path / "copy"), 20)

    with narrow(sshd, 200_000) as port:
        began = time.monotonic()
        reach(sshd.target(tmp_path, port=port), user, put, keepalive=0.5)
        assert time.monotonic() - began > 2.0  # longer than a silent host is waited for
    assert (tmp_path / "copy").read_bytes() == archive.read_bytes()


def test_a_host_that_writes_slowly_is_named_at_the_deadline(user: Path, sshd: Sshd, tmp_path: Path) -> None:
    def drip(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for byte in b"SSH-2.0-OpenSSH_9.2p1\r\n" * 10:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    with socket.create_server((own_address(2), 0)) as listener:
        served(listener, drip)
        error = failure(TimedOut, sshd.target(tmp_path, port=listener.getsockname()[1]), user, connect=0.5)
    assert error.cause.startswith("Exchanging keys with host-1")


# Too full


def upgraded(target: SshTarget, archive: Path) -> Outcome:
    """How the first upgrade of a service ends."""
    recipe = ReleaseRecipe(("true",), HealthCheck("none", "", (), 1), Probe("command", "", ("cat", "VERSION")))
    task = Task("orders", "host-1", target.address, 1, target.directory, None, "1.0.0", archive, None)

    async def do() -> Outcome:
        async with SshHosts(account=NOBODY, patience=Patience()) as hosts:
            runner = FencedRunner(hosts.runner(target), task.root, Fence(1, 1))
            return await deploy(runner, recipe, task, Notes())

    return asyncio.run(do())


FULL = {
    "no file": ("size=20m,nr_inodes=1", "Preparing the host failed: The disk is full: no room is left in"),
    "no further file": ("size=20m,nr_inodes=12", "Unpacking the archive failed"),
    "no room to send": ("size=60k", "Sending the archive failed: The disk is full: there is no room left in"),
    "no room to unpack": ("size=200k", "Unpacking the archive failed"),
}


@pytest.mark.parametrize(("options", "words"), FULL.values(), ids=FULL)
def test_a_disk_that_is_full_is_named_wherever_an_upgrade_meets_it(
    options: str, words: str, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "VERSION").write_text("1.0.0\n")
    (tmp_path / "data").write_bytes(os.urandom(100_000))
    with tarfile.open(tmp_path / "archive", "w:gz") as file:
        for name in ("VERSION", "data"):
            file.add(tmp_path / name, name)
    with small_disk(tmp_path / "small", options) as small:
        outcome = upgraded(sshd.target(small), tmp_path / "archive")
    assert outcome.reason.startswith(words)
    assert "disk" in outcome.reason
    assert "full" in outcome.reason
    assert "ake room there, then try again" in outcome.reason


def test_a_check_says_that_the_disk_is_nearly_full(sshd: Sshd, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "size=40k") as small:
        end = check(sshd.target(small))
    assert end.facts is not None
    assert "Only 40.0 KiB are free" in " ".join(str(note) for note in facts.warnings(HostFacts.load(end.facts)))


# In another time


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("echo $(($(/bin/date +%s) + 3600))", ["Its clock is 3600 s ahead of the worker's. "]),
        ("echo $(($(/bin/date +%s) - 90000))", ["Its clock is 90000 s behind the worker's. "]),
        ("echo what time is it", []),
        ("exit 1", []),
    ],
)
def test_a_clock_that_is_wrong_is_told(date: str, words: list[str], tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "date").write_text(f"#!/bin/sh\n{date}\n")
    (programs / "date").chmod(0o755)
    with login(tmp_path, f'export PATH={programs}:$PATH; eval "$1"') as sshd:
        # With a command for everybody, it is also what SFTP gets.
        found = [one for one in warned(check(sshd.target(tmp_path))) if not one.startswith("An upgrade may fail")]
    assert found == [f"{word}Let both follow a time server." for word in words]
