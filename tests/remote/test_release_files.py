"""What a deployment does to the files of a host: which archives it refuses, what it keeps and what it removes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import subprocess
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.domain.recipe import HealthCheck, Probe, ReleaseRecipe
from deployer.domain.release import MOST_BYTES, MOST_MEMBERS, prepare, unpack
from deployer.jobs.deploy import Phase
from tests.remote.conftest import RECIPE, Host, archive


def test_an_archive_with_another_sha256_touches_nothing(host: Host) -> None:
    host.install("1.0.0")
    before = host.pid()
    outcome = host.deploy(replace(host.task("1.1.0"), sha256="0" * 64))
    assert (outcome.ok, outcome.running, outcome.phase) == (False, "1.0.0", Phase.UNPACKING)
    assert f"but {'0' * 64} is recorded for this version." in outcome.reason
    assert outcome.reason.endswith("The release in use was not touched.")
    assert (host.pid(), host.current(), host.releases()) == (before, "releases/1.0.0", {"1.0.0"})


def test_a_version_without_an_archive_touches_nothing(host: Host) -> None:
    host.install("1.0.0")
    outcome = host.deploy(replace(host.task("1.1.0"), artifact=None, sha256=None))
    assert (outcome.running, outcome.phase, host.releases()) == ("1.0.0", Phase.SENDING, {"1.0.0"})
    assert "no archive is recorded" in outcome.reason


def test_an_archive_without_a_recorded_sha256_is_verified_against_the_one_it_has_here(host: Host) -> None:
    task = host.task("1.0.0")
    assert host.deploy(replace(task, sha256=None)).ok
    assert (host.root / "current" / ".deployer-sha256").read_text().strip() == task.sha256


FILE, SYMLINK, HARDLINK = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "members",
    [
        [("../escaped", FILE, "x")],
        [("a/../../escaped", FILE, "x")],
        [("ABSOLUTE/escaped", FILE, "x")],
        [("..", SYMLINK, "a")],
        [("link", SYMLINK, "/etc/passwd")],
        [("link", SYMLINK, "../../../../secret")],
        [("a/link", SYMLINK, "../../1.0.0")],
        [("link", SYMLINK, ".."), ("link/escaped", FILE, "x")],
        [("link", SYMLINK, "ABSOLUTE"), ("link/escaped", FILE, "x")],
        [("a", SYMLINK, "b"), ("b", SYMLINK, "a")],
        [("link", HARDLINK, "/etc/passwd")],
        [("link", HARDLINK, "../../../../secret")],
        [("pipe", tarfile.FIFOTYPE, "")],
        [("x\n/../escaped", FILE, "x")],
    ],
    ids=lambda members: " then ".join(f"{name} {target}".strip() for name, _, target in members).replace("\n", "|"),
)
def test_a_hostile_archive_is_refused_and_nothing_is_touched(
    members: list[tuple[str, bytes, str]], host: Host, tmp_path: Path
) -> None:
    host.recipe = replace(RECIPE, restart=("true",), health=HealthCheck("none", "", (), 0.5))
    (host.home / "secret").write_text("secret")
    outside = tmp_path / "outside"
    outside.mkdir()
    hostile = [
        (name.replace("ABSOLUTE", str(outside)), kind, to.replace("ABSOLUTE", str(outside)))
        for name, kind, to in members
    ]
    task = replace(host.task("6.6.6"), artifact=archive(tmp_path / "hostile.tar.gz", *hostile), sha256=None)
    outcome = host.deploy(task)
    assert (outcome.ok, outcome.phase) == (False, Phase.UNPACKING)
    assert host.releases() == set()
    assert not (host.root / "current").exists()
    assert not [path for path in tmp_path.rglob("*") if path.name == "escaped"]


def test_an_archive_that_would_fill_the_disk_is_refused_before_anything_is_unpacked(host: Host, tmp_path: Path) -> None:
    host.run_nothing()
    with (tmp_path / "bomb").open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # it takes no room here, and its archive takes some kilobytes
    bomb = tmp_path / "bomb.tar.gz"
    subprocess.run(["tar", "-C", str(tmp_path), "-cSzf", str(bomb), "bomb"], check=True)
    assert bomb.stat().st_size < 10_000
    outcome = host.deploy(replace(host.task("1.0.0"), artifact=bomb, sha256=None))
    assert (outcome.ok, outcome.phase, host.releases()) == (False, Phase.UNPACKING, set())
    assert f"or unpacks to more than {MOST_BYTES} bytes" in outcome.reason


@pytest.mark.parametrize(("members", "size", "fits"), [(3, 30, True), (2, 30, False), (3, 29, False)])
def test_members_and_bytes_are_counted_exactly(members: int, size: int, fits: bool, host: Host, tmp_path: Path) -> None:
    host.run_nothing()
    tar = archive(tmp_path / "a.tar.gz", ("a", FILE, "x" * 10), ("b 999999", FILE, "x" * 10), ("c\nd", FILE, "x" * 10))
    task = replace(host.task("1.0.0"), artifact=tar)
    asyncio.run(host.runner.run(prepare(task), host.notes.line))
    asyncio.run(host.runner.put(tar, task.archive, 10))
    unpacking = unpack(task, hashlib.sha256(tar.read_bytes()).hexdigest())
    assert unpacking.argv[-2:] == (str(MOST_MEMBERS), str(MOST_BYTES))
    bounded = replace(unpacking, argv=(*unpacking.argv[:-2], str(members), str(size)))
    result = asyncio.run(host.runner.run(bounded, host.notes.line))
    assert (result.ok, bool(host.releases())) == (fits, fits), result.output


@pytest.mark.parametrize(
    "members",
    [
        [("n" * 300, FILE, "x")],
        [("d/" * 3000 + "file", FILE, "x")],
        [("device", tarfile.CHRTYPE, "")],
        [("block", tarfile.BLKTYPE, "")],
    ],
    ids=["a name that no disk takes", "a path that no system takes", "a device", "a block device"],
)
def test_a_member_that_cannot_be_a_file_leaves_nothing(
    members: list[tuple[str, bytes, str]], host: Host, tmp_path: Path
) -> None:
    host.run_nothing()
    task = replace(host.task("1.0.0"), artifact=archive(tmp_path / "a.tar.gz", *members), sha256=None)
    outcome = host.deploy(task)
    assert (outcome.ok, outcome.phase, host.releases()) == (False, Phase.UNPACKING, set())
    assert sorted(path.name for path in host.root.iterdir()) == ["releases"]


def test_of_two_members_with_one_name_the_last_counts_and_writes_through_nothing(host: Host, tmp_path: Path) -> None:
    host.recipe = ReleaseRecipe(("true",), HealthCheck("none", "", (), 2), Probe("command", "", ("cat", "v")))
    members = [("other", FILE, "untouched"), ("v", SYMLINK, "other"), ("v", FILE, "2.0.0\n")]
    assert host.deploy(replace(host.task("2.0.0"), artifact=archive(tmp_path / "a.tar.gz", *members), sha256=None)).ok
    assert (host.root / "current" / "other").read_text() == "untouched"


def test_links_inside_a_release_are_welcome(host: Host, tmp_path: Path) -> None:
    host.recipe = ReleaseRecipe(("true",), HealthCheck("none", "", (), 2), Probe("command", "", ("cat", "bin/version")))
    members = [("lib/v", FILE, "2.0.0\n"), ("bin/version", SYMLINK, "../lib/v"), ("lib/same", HARDLINK, "lib/v")]
    task = replace(host.task("2.0.0"), artifact=archive(tmp_path / "links.tar.gz", *members), sha256=None)
    assert host.deploy(task).ok


def test_what_is_not_an_archive_is_refused(host: Host, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no archive")
    outcome = host.deploy(replace(host.task("1.0.0"), artifact=tmp_path / "notes", sha256=None))
    assert "The archive is not one that tar can read on this host" in outcome.reason


def test_a_full_disk_is_not_blamed_on_the_archive(host: Host) -> None:
    host.install("1.0.0")
    task = host.task("1.1.0")
    assert task.artifact is not None
    assert task.sha256 is not None
    asyncio.run(host.runner.run(prepare(task), host.notes.line))
    asyncio.run(host.runner.put(task.artifact, task.archive, 10))
    unpacking = unpack(task, task.sha256)
    # As on a full disk, no file can be written; reading still works.
    full = replace(unpacking, argv=("sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "full", *unpacking.argv))
    result = asyncio.run(host.runner.run(full, host.notes.line))
    assert result.failure.endswith(
        "The list of the archive's members could not be written. Make room on the host's disk, then try again."
    )
    assert not (host.root / "incoming").exists()


def test_a_disk_that_fills_up_in_the_middle_is_named(host: Host, tmp_path: Path) -> None:
    host.run_nothing()
    large = archive(tmp_path / "large.tar.gz", ("VERSION", FILE, "1.0.0\n"), ("large", FILE, "x" * 1_000_000))
    task = replace(host.task("1.0.0"), artifact=large)
    asyncio.run(host.runner.run(prepare(task), host.notes.line))
    asyncio.run(host.runner.put(large, task.archive, 10))
    unpacking = unpack(task, hashlib.sha256(large.read_bytes()).hexdigest())
    full = replace(unpacking, argv=("sh", "-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "full", *unpacking.argv))
    result = asyncio.run(host.runner.run(full, host.notes.line))
    assert "The archive could not be unpacked: " in result.failure
    assert "large" in result.failure
    assert (host.releases(), (host.root / "incoming").exists()) == (set(), False)


@pytest.mark.parametrize("content", [b"no archive", None], ids=["not an archive", "a hostile one"])
def test_a_refused_archive_leaves_nothing_on_the_host(content: bytes | None, host: Host, tmp_path: Path) -> None:
    file = tmp_path / "a.tar.gz"
    if content is None:
        archive(file, ("locked/file", FILE, "x"), ("link", SYMLINK, "/etc/passwd"))
    else:
        file.write_bytes(content)
    assert host.deploy(replace(host.task("1.0.0"), artifact=file, sha256=None)).phase is Phase.UNPACKING
    assert sorted(path.name for path in host.root.iterdir()) == ["releases"]


def test_an_unpacking_that_is_stopped_leaves_nothing_on_the_host(host: Host) -> None:
    task = host.task("1.0.0")
    assert task.artifact is not None
    asyncio.run(host.runner.run(prepare(task), host.notes.line))
    os.mkfifo(task.archive)  # which nobody ever writes to
    result = asyncio.run(host.runner.run(replace(unpack(task, "0" * 64), deadline=0.5), host.notes.line))
    assert result.timed_out
    assert not (host.root / "incoming").exists()


def test_an_unpacking_that_is_stopped_leaves_alone_what_another_deployment_has_begun(host: Host) -> None:
    task = host.task("1.0.0")

    async def overtaken() -> None:
        await host.runner.run(prepare(task), host.notes.line)
        os.mkfifo(task.archive)
        stopped = asyncio.create_task(host.runner.run(replace(unpack(task, "0" * 64), deadline=1), host.notes.line))
        await asyncio.sleep(0.5)
        await host.runner.run(prepare(task), host.notes.line)  # the next holder of the host begins
        assert (await stopped).timed_out

    asyncio.run(overtaken())
    assert (host.root / "incoming").exists()


def test_no_member_gets_the_rights_of_its_owner_or_shuts_deployer_out(host: Host, tmp_path: Path) -> None:
    host.run_nothing()
    file = tmp_path / "rights.tar"
    with tarfile.open(file, "w") as tar:
        for name, kind, mode in [
            ("VERSION", FILE, 0o666),
            ("tool", FILE, 0o6755),
            ("shut", tarfile.DIRTYPE, 0o2555),
            ("shut/file", FILE, 0o444),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, mode
            content = b"1.0.0\n" if kind == FILE else b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert host.deploy(replace(host.task("1.0.0"), artifact=file, sha256=None)).ok
    modes = {path.name: oct(path.stat().st_mode & 0o7777) for path in (host.root / "current").resolve().rglob("[!.]*")}
    assert modes == {"VERSION": "0o644", "tool": "0o755", "shut": "0o755", "file": "0o644"}


def test_old_releases_are_removed_after_a_restore_too_but_not_the_one_that_failed(host: Host) -> None:
    host.run_nothing()
    for version in ("1.0.0", "1.1.0"):
        host.install(version)
    host.recipe = replace(host.recipe, keep=1, restart=("sh", "-c", "! grep -q 1.2.0 VERSION"))
    outcome = host.deploy(host.task("1.2.0"))
    assert outcome.reason.endswith("The previous release 1.1.0 was restored.")
    assert host.releases() == {"1.1.0", "1.2.0"}


def test_old_releases_are_removed_but_never_the_one_in_use_nor_the_one_we_came_from(host: Host) -> None:
    host.run_nothing()
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        host.install(version)
    assert host.releases() == {"1.2.0", "1.3.0"}
    host.recipe = replace(host.recipe, keep=1)
    host.install("1.4.0")
    assert host.releases() == {"1.3.0", "1.4.0"}
    assert "Removed the old release 1.2.0." in host.notes.lines


def test_what_deployer_did_not_unpack_is_not_removed(host: Host) -> None:
    host.run_nothing()
    host.install("1.0.0")
    (host.root / "releases" / "by hand").mkdir()
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        host.install(version)
    assert "by hand" in host.releases()


def test_a_current_that_is_a_directory_is_left_alone(host: Host) -> None:
    host.run_nothing()
    (host.root / "current").mkdir(parents=True)
    outcome = host.deploy(host.task("1.0.0"))
    assert outcome.phase is Phase.PREPARING
    assert "current is not a symbolic link" in outcome.reason
    assert (host.root / "current").is_dir()


def test_a_release_in_use_is_not_replaced_by_another_archive_of_its_name(host: Host) -> None:
    host.run_nothing()
    host.install("1.0.0")
    outcome = host.deploy(replace(host.task("1.0.0", "crash"), from_version=None))
    assert (outcome.phase, outcome.running) == (Phase.PREPARING, "1.0.0")
    assert "it cannot be replaced while it runs" in outcome.reason


def test_there_is_always_a_current_release_while_it_is_switched(host: Host) -> None:
    host.run_nothing()
    host.install("1.0.0")
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            try:
                seen.add((host.root / "current" / "VERSION").read_text().strip())
            except OSError as error:
                seen.add(repr(error))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        host.install("1.1.0")
        host.install("1.0.0")
    finally:
        stop.set()
        watcher.join()
    assert seen == {"1.0.0", "1.1.0"}


def test_a_link_that_deployer_did_not_make_is_never_gone_back_to(host: Host) -> None:
    host.run_nothing()
    by_hand = host.home / "orders-0.9"
    by_hand.mkdir()
    (by_hand / "VERSION").write_text("0.9.0")
    host.root.mkdir()
    (host.root / "current").symlink_to(by_hand)
    host.running = "0.9.0"
    host.recipe = replace(host.recipe, restart=("sh", "-c", "! grep -q 1.0.0 VERSION"))
    outcome = host.deploy(host.task("1.0.0"))
    assert (outcome.ok, outcome.running, host.current()) == (False, "1.0.0", "releases/1.0.0")
    assert outcome.reason.endswith("was not installed by Deployer on this host, so it could not be restored.")
