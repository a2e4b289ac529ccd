"""Files over SSH: what is there is not sent again, and what cannot be written is told by its reason."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.domain.release import Task, prepare
from deployer.remote import ssh_upload
from deployer.remote.runner import DirectoryMissing, DiskFull, Dropped, TimedOut, TransferFailed
from deployer.remote.ssh import SshHosts, SshTarget
from deployer.remote.ssh_failures import PermissionRefused, SftpMissing
from tests.conftest import need
from tests.remote.ways import NOBODY
from tests.sshd import Sshd, missing_sshd


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Some megabytes, no two blocks of them the same."""
    file = tmp_path / "archive"
    file.write_bytes(os.urandom(5_000_003))
    return file


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The host's."""
    directory = tmp_path / "host"
    directory.mkdir()
    return directory


def put(target: SshTarget, source: Path, destination: Path, deadline: float = 20) -> None:
    async def do() -> None:
        async with SshHosts(account=NOBODY) as hosts:
            await hosts.runner(target).put(source, str(destination), deadline)

    asyncio.run(do())


def test_a_file_arrives_whole_and_is_not_sent_twice(
    sshd: Sshd, source: Path, directory: Path, written: list[int]
) -> None:
    for _ in range(2):
        put(sshd.target(directory), source, directory / "copy")
        assert (directory / "copy").read_bytes() == source.read_bytes()
    assert written == [0]


@pytest.mark.parametrize(
    ("there", "offset"),
    [
        pytest.param(lambda data: data[:3_000_001], 3_000_001, id="its beginning"),
        pytest.param(lambda data: b"x" + data[1:3_000_000], 0, id="a beginning of another"),
        pytest.param(lambda data: data + b"x", 0, id="more than it"),
        pytest.param(lambda data: b"x" * len(data), 0, id="as much of another"),
        pytest.param(lambda data: b"", 0, id="nothing"),
    ],
)
def test_what_is_there_is_built_on_only_when_it_is_the_same(
    there: object, offset: int, sshd: Sshd, source: Path, directory: Path, written: list[int]
) -> None:
    copy = directory / "copy"
    copy.write_bytes(there(source.read_bytes()))  # type: ignore[operator]
    put(sshd.target(directory), source, copy)
    assert copy.read_bytes() == source.read_bytes()
    assert written == [offset]


def test_an_empty_file_arrives(sshd: Sshd, tmp_path: Path, directory: Path) -> None:
    (tmp_path / "empty").touch()
    put(sshd.target(directory), tmp_path / "empty", directory / "copy")
    assert (directory / "copy").read_bytes() == b""


@pytest.mark.parametrize("destination", ["/elsewhere", "HOST/../escaped", "HOSTx"])
def test_nothing_is_written_outside_the_hosts_directory(
    destination: str, sshd: Sshd, source: Path, directory: Path
) -> None:
    outside = Path(destination.replace("HOST", str(directory)))
    with pytest.raises(TransferFailed, match="not in the host's directory"):
        put(sshd.target(directory), source, outside)
    assert not outside.exists()


def test_a_transfer_that_is_cut_goes_on_where_it_ended(
    sshd: Sshd, tmp_path: Path, directory: Path, written: list[int]
) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(1 << 20) * 120)
    copy = directory / "copy"

    async def cut() -> None:
        async with SshHosts(account=NOBODY) as hosts:
            sending = asyncio.ensure_future(hosts.runner(sshd.target(directory)).put(big, str(copy), 20))
            while not copy.exists() or copy.stat().st_size < 2 << 20:  # noqa: ASYNC110 (another process writes it)
                await asyncio.sleep(0.002)
            sshd.signal_connections(signal.SIGKILL)
            await sending

    with pytest.raises(Dropped, match="lost while an archive was sent"):
        asyncio.run(cut())
    there = copy.stat().st_size
    assert there < big.stat().st_size
    put(sshd.target(directory), big, copy)
    assert written == [0, there]
    assert copy.read_bytes() == big.read_bytes()


def test_a_transfer_needs_little_memory(sshd: Sshd, tmp_path: Path, directory: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(100 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    put(sshd.target(directory), big, directory / "copy")
    assert (directory / "copy").stat().st_size == 100 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KiB


def test_many_transfers_at_once_share_the_memory_of_a_few() -> None:
    room = ssh_upload.Room()
    with contextlib.ExitStack() as all_of_them:
        shares = [all_of_them.enter_context(room.share(ssh_upload.CHUNK)) for _ in range(50)]
    assert shares[0] == ssh_upload.CHUNK
    assert min(shares) == ssh_upload.LEAST
    assert sum(shares) <= ssh_upload.ROOM + 50 * ssh_upload.LEAST
    with room.share(ssh_upload.CHUNK) as alone:
        assert alone == ssh_upload.CHUNK


def test_a_deadline_is_kept_and_what_has_arrived_stays(
    sshd: Sshd, source: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_upload, "CHUNK", 1 << 10)
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"Sending the archive took longer than 0\.3 s.*only the rest is sent"):
        put(sshd.target(directory), source, directory / "copy", 0.3)
    assert time.monotonic() - began < 4
    there = (directory / "copy").read_bytes()
    assert 0 < len(there) < 5_000_000
    assert source.read_bytes().startswith(there)


def test_a_silent_host_does_not_outlast_the_deadline(sshd: Sshd, source: Path, directory: Path) -> None:
    async def silence() -> None:
        async with SshHosts(account=NOBODY) as hosts:
            runner = hosts.runner(sshd.target(directory))
            await runner.put(source, str(directory / "first"), 20)
            sshd.signal_connections(signal.SIGSTOP)
            with pytest.raises(TimedOut):
                await runner.put(source, str(directory / "second"), 0.5)

    began = time.monotonic()
    asyncio.run(silence())
    sshd.signal_connections(signal.SIGKILL)
    assert time.monotonic() - began < 8


@contextlib.contextmanager
def small_disk(directory: Path, options: str) -> Iterator[Path]:
    directory.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], capture_output=True, check=False
    )
    need("no file system can be mounted here" if done.returncode else None)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.mark.parametrize("options", ["size=2m", "size=20m,nr_inodes=1"], ids=["bytes", "inodes"])
def test_a_full_disk_is_named(options: str, sshd: Sshd, source: Path, directory: Path) -> None:
    with (
        small_disk(directory / "small", options) as small,
        pytest.raises(DiskFull, match=f"no room left in {small} on host-1.*Make room there"),
    ):
        put(sshd.target(small), source, small / "copy")


def test_a_file_size_limit_is_not_mistaken_for_a_full_disk(tmp_path: Path, source: Path, directory: Path) -> None:
    need(missing_sshd())
    script = tmp_path / "limited"
    script.write_text("#!/bin/sh\ntrap '' XFSZ\nulimit -f 2000\nexec /usr/lib/openssh/sftp-server\n")
    script.chmod(0o755)
    need(None if os.access("/usr/lib/openssh/sftp-server", os.X_OK) else "sftp-server is not installed")
    with (
        Sshd(tmp_path / "sshd", (f"Subsystem sftp {script}",)) as sshd,
        pytest.raises(TransferFailed, match=r"could not be written.*file size limit") as caught,
    ):
        put(sshd.target(directory), source, directory / "copy")
    assert type(caught.value) is TransferFailed


def test_a_missing_directory_is_named(sshd: Sshd, source: Path, directory: Path) -> None:
    with pytest.raises(DirectoryMissing, match=f"{directory}/nowhere is not on host-1"):
        put(sshd.target(directory), source, directory / "nowhere" / "copy")


def test_a_directory_that_may_not_be_written_is_named(tmp_path: Path, source: Path, directory: Path) -> None:
    need(missing_sshd())
    with (
        Sshd(tmp_path / "sshd", ("Subsystem sftp internal-sftp -R",)) as sshd,
        pytest.raises(PermissionRefused, match=r"root may not write .*/copy on host-1"),
    ):
        put(sshd.target(directory), source, directory / "copy")


@pytest.mark.parametrize("subsystem", ["other /bin/true", "sftp /bin/false", "sftp echo Welcome, dear user"])
def test_a_host_without_sftp_is_named(subsystem: str, tmp_path: Path, source: Path, directory: Path) -> None:
    need(missing_sshd())
    with (
        Sshd(tmp_path / "sshd", (f"Subsystem {subsystem}",)) as sshd,
        pytest.raises(SftpMissing, match=r"offers no file transfer.*Subsystem sftp internal-sftp"),
    ):
        put(sshd.target(directory), source, directory / "copy")


# What a deployment leaves for the next one


def prepared(target: SshTarget, task: Task) -> None:
    async def do() -> None:
        async with SshHosts(account=NOBODY) as hosts:
            assert (await hosts.runner(target).run(prepare(task), print)).ok

    asyncio.run(do())


@pytest.fixture
def task(directory: Path) -> Task:
    return Task("orders", "host-1", "127.0.0.1", 1, str(directory), None, "1.0.0", None, "a" * 64)


def test_what_has_arrived_of_the_same_archive_survives_as_a_file_of_its_own(
    sshd: Sshd, directory: Path, task: Task
) -> None:
    target = sshd.target(directory)
    prepared(target, task)
    archive = Path(task.archive)
    archive.write_bytes(b"half")
    (archive.parent / "unpacked").mkdir()
    with archive.open("r+b") as left_open:  # by the transfer of a worker that is no longer in charge
        prepared(target, task)
        left_open.seek(0)
        left_open.write(b"LATE")
    assert archive.read_bytes() == b"half"
    assert {path.name for path in archive.parent.iterdir()} == {archive.name, ".sha256"}
    prepared(target, replace(task, sha256=None))  # a recovery knows no sha256, and spoils nothing
    prepared(target, task)
    assert archive.read_bytes() == b"half"


@pytest.mark.parametrize("change", [{"sha256": "b" * 64}, {"to_version": "1.0.1"}], ids=["archive", "version"])
def test_nothing_of_another_archive_survives(change: dict[str, str], sshd: Sshd, directory: Path, task: Task) -> None:
    target = sshd.target(directory)
    prepared(target, task)
    Path(task.archive).write_bytes(b"half")
    prepared(target, replace(task, **change))  # type: ignore[arg-type]
    assert [path.name for path in Path(task.archive).parent.iterdir()] == [".sha256"]


def test_a_link_in_the_place_of_an_archive_does_not_survive(sshd: Sshd, directory: Path, task: Task) -> None:
    target = sshd.target(directory)
    prepared(target, task)
    Path(task.archive).symlink_to("/etc/passwd")
    prepared(target, task)
    assert not Path(task.archive).is_symlink()


def test_on_a_full_disk_the_part_is_given_up_and_the_host_is_prepared(sshd: Sshd, directory: Path, task: Task) -> None:
    with small_disk(directory / "small", "size=1m") as small:
        task = replace(task, directory=str(small))
        prepared(sshd.target(small), task)
        with contextlib.suppress(OSError):
            Path(task.archive).write_bytes(b"x" * 1_000_000)
        prepared(sshd.target(small), task)
        assert not Path(task.archive).exists()
