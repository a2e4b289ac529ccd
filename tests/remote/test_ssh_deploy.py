"""Whole deployments over SSH: the same recipes, fences and recoveries as on a local host."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from deployer.domain.fence import Fence
from deployer.domain.recipe import HealthCheck, ScriptRecipe
from deployer.domain.release import Task, nothing, prepare
from deployer.jobs.deploy import Fetch, Outcome, Phase, deploy
from deployer.jobs.recover import recover
from deployer.remote import ssh_upload
from deployer.remote.fenced import FencedRunner
from deployer.remote.runner import Dropped, Runner
from deployer.remote.ssh import Patience, SshHosts
from tests.conftest import need
from tests.remote.conftest import ADDRESS, Host, Notes, ended
from tests.remote.test_local import shell
from tests.remote.ways import NOBODY
from tests.sshd import Sshd, missing_sshd


class SshHost(Host):
    """A demo host that is reached by SSH, with a fence."""

    def __init__(self, home: Path, port: int, sshd: Sshd) -> None:
        super().__init__(home, port)
        self.target = sshd.target(self.directory)
        self.step = 0

    def fenced(self, hosts: SshHosts) -> Runner:
        self.step += 1
        return FencedRunner(hosts.runner(self.target), str(self.root), Fence(self.step, 1))

    def deploy(self, task: Task, fetch: Fetch | None = None) -> Outcome:
        self.notes = Notes()

        async def do() -> Outcome:
            async with SshHosts(account=NOBODY) as hosts:
                return await deploy(self.fenced(hosts), self.recipe, task, self.notes, fetch)

        outcome = asyncio.run(do())
        self.running = outcome.running
        return outcome

    def recover(self, task: Task) -> Outcome:
        self.notes = Notes()

        async def do() -> Outcome:
            async with SshHosts(account=NOBODY) as hosts:
                return (await recover(self.fenced(hosts), self.recipe, task, self.notes)).outcome

        return asyncio.run(do())


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd at the address of the service, as a real host has it."""
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", address=ADDRESS) as sshd:
        yield sshd


@pytest.fixture
def host(home: Path, port: int, own_sshd: Sshd) -> SshHost:
    return SshHost(home, port, own_sshd)


def test_a_release_is_installed_upgraded_and_reverted_over_one_connection_each(host: SshHost, own_sshd: Sshd) -> None:
    host.install("1.0.0")
    assert host.version() == "1.0.0"
    old = host.pid()
    host.install("1.1.0")
    assert (host.version(), host.current(), ended(old)) == ("1.1.0", "releases/1.1.0", True)
    assert host.deploy(replace(host.task("1.0.0"), artifact=None)).ok
    assert (host.version(), own_sshd.connections()) == ("1.0.0", 3)
    assert host.recover(replace(host.task("1.0.0"), from_version="1.1.0")).ok


def test_an_unhealthy_release_is_replaced_by_the_one_before_it_over_ssh(host: SshHost) -> None:
    host.install("1.0.0")
    outcome = host.deploy(host.task("1.1.0", "unhealthy"))
    assert outcome == Outcome(
        False,
        "1.0.0",
        "Health check failed: GET /healthz answered 500 (tried for 1.5 s). The previous release 1.0.0 was restored.",
        Phase.HEALTH,
        "health check failed",
    )
    assert host.version() == "1.0.0"


def test_a_script_deploys_over_ssh(host: SshHost) -> None:
    text = 'mkdir -p "$DEPLOYER_ROOT/bin"; cp "$DEPLOYER_ARTIFACT" "$DEPLOYER_ROOT/bin/it"; echo "to $DEPLOYER_VERSION"'
    probe = ("sh", "-c", 'test -s "$DEPLOYER_ROOT/bin/it" && echo "$DEPLOYER_VERSION"')
    recipe = ScriptRecipe(("sh", "-c", text), probe, 20, HealthCheck("none", "", (), 1))
    task = host.task("2.0.0")
    assert task.artifact is not None

    async def do() -> Outcome:
        async with SshHosts(account=NOBODY) as hosts:
            return await deploy(host.fenced(hosts), recipe, task, host.notes)

    assert asyncio.run(do()) == Outcome(True, "2.0.0", "", Phase.DONE)
    assert "to 2.0.0" in host.notes.lines
    assert (host.root / "bin" / "it").read_bytes() == task.artifact.read_bytes()


def test_a_connection_that_is_lost_in_a_restart_is_recovered_from(host: SshHost, own_sshd: Sshd) -> None:
    host.install("1.0.0")
    task = host.task("1.1.0")
    restart = ("sh", "-c", "touch began; sleep 100; touch ended")
    recipe = replace(host.recipe, restart=restart, restart_timeout=1)

    async def cut() -> Outcome:
        async with SshHosts(account=NOBODY) as hosts:
            work = asyncio.ensure_future(deploy(host.fenced(hosts), recipe, task, host.notes))
            while not (host.root / "current" / "began").exists():  # noqa: ASYNC110 (another process makes it)
                await asyncio.sleep(0.01)
            own_sshd.signal_connections(signal.SIGKILL)
            return await work

    outcome = asyncio.run(cut())
    assert (outcome.ok, outcome.phase) == (False, Phase.RESTARTING)
    assert "The connection to host-1" in outcome.reason
    assert "was lost while a command ran there" in outcome.reason
    assert host.version() == "1.0.0"
    # The restore runs the same restart, which is made for this test; a recovery with the real one mends everything.
    outcome = host.recover(replace(task, from_version="1.0.0"))
    assert (outcome.running, host.current(), host.version()) == ("1.0.0", "releases/1.0.0", "1.0.0")


def test_an_upload_that_was_cut_goes_on_with_the_next_attempt(host: SshHost, written: list[int]) -> None:
    task = host.task("1.0.0")
    assert task.artifact is not None

    async def begin() -> None:
        async with SshHosts(account=NOBODY) as hosts:
            assert (await host.fenced(hosts).run(prepare(task), host.notes.line)).ok

    asyncio.run(begin())
    half = task.artifact.read_bytes()[:1000]
    Path(task.archive).write_bytes(half)
    assert host.deploy(task).ok
    assert written == [1000]
    assert not host.recover(replace(task, from_version="0.9.0")).reason


@pytest.mark.parametrize("times", [2, 3])
def test_an_upload_survives_the_loss_of_two_connections(
    times: int, host: SshHost, own_sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ssh_upload._Upload._write
    cuts = iter(range(times))

    async def cut(self: ssh_upload._Upload, file: BinaryIO, offset: int) -> None:
        if next(cuts, None) is not None:
            own_sshd.signal_connections(signal.SIGKILL)
        await write(self, file, offset)

    monkeypatch.setattr(ssh_upload._Upload, "_write", cut)
    outcome = host.deploy(host.task("1.0.0"))
    assert outcome.ok is (times == 2)
    said = f"The connection to {host.target.name} was lost while an archive was sent. Only what is missing is sent now."
    assert host.notes.lines.count(said) == 2
    if not outcome.ok:
        assert (outcome.phase, "the host is asked what really runs" in outcome.reason) == (Phase.SENDING, True)


# A network that is really cut


@dataclass
class Wire:
    """A cable to a network of its own."""

    name: str
    ours: str
    theirs: str

    def set(self, state: str) -> None:
        subprocess.run(["ip", "link", "set", f"{self.name}a", state], check=True)


@pytest.fixture
def wire() -> Iterator[Wire]:
    number = os.getpid() % 60_000
    name = f"dp{number}"
    net = f"169.254.{number // 250 % 250 + 1}"
    found = Wire(name, f"{net}.{1}", f"{net}.{2}")
    commands = [
        ["netns", "add", name],
        ["link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name],
        ["address", "add", f"{found.ours}/30", "dev", f"{name}a"],
        ["link", "set", f"{name}a", "up"],
        ["-n", name, "address", "add", f"{found.theirs}/30", "dev", f"{name}b"],
        ["-n", name, "link", "set", f"{name}b", "up"],
    ]
    try:
        for command in commands:
            done = subprocess.run(["ip", *command], capture_output=True, text=True, check=False)
            need(f"no network of our own can be made: {done.stderr.strip()}" if done.returncode else None)
        yield found
    finally:
        for command in (["link", "del", f"{name}a"], ["netns", "del", name]):
            subprocess.run(["ip", *command], capture_output=True, check=False)


def test_a_cut_network_is_noticed_and_the_fence_ends_what_goes_on_behind_it(wire: Wire, tmp_path: Path) -> None:
    need(missing_sshd())
    (tmp_path / "host").mkdir()
    lines: list[str] = []

    async def cut(sshd: Sshd) -> None:
        async with SshHosts(account=NOBODY, patience=Patience(connect=10, keepalive=0.2)) as hosts:
            runner = hosts.runner(sshd.target(tmp_path / "host"))
            root = str(tmp_path / "host" / "orders")
            first = FencedRunner(runner, root, Fence(1, 1))
            running = asyncio.ensure_future(first.run(shell("echo $$; exec sleep 100"), lines.append))
            while not lines:  # noqa: ASYNC110 (the line comes from another process)
                await asyncio.sleep(0.01)
            wire.set("down")
            began = time.monotonic()
            with pytest.raises(Dropped):
                await running
            assert time.monotonic() - began < 3
            assert not ended(int(lines[0]))  # nobody has told the host
            wire.set("up")
            assert (await FencedRunner(runner, root, Fence(1, 2)).run(nothing(), lines.append)).ok
            assert ended(int(lines[0]))

    with Sshd(tmp_path / "sshd", address=wire.theirs, port=22, network=wire.name) as sshd:
        asyncio.run(cut(sshd))
