"""Our runner on many hosts at once, as a process of its own.

    python -m bench.ssh_ours FLEET --hosts 200 [--artifact FILE] [--lines 20] [--commands 2] [--fenced] [--bare]

What the commands say goes into journals that are written away every so often, as a worker does it; only, to a file. It
prints a line of JSON: seconds of CPU until the first host is touched, and seconds of wall time from there on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO

import asyncssh

from bench.sshd_fleet import Host, hosts_of
from deployer.domain.fence import Fence
from deployer.domain.release import Command
from deployer.jobs.journal import StepJournal
from deployer.remote.fenced import FencedRunner
from deployer.remote.runner import Runner
from deployer.remote.ssh import SshHosts

SAY_SECONDS = 0.4  # as jobs.drain, which brings in everything that a worker has loaded long before
ARTIFACT = "artifact"  # its name on the host
SAID = "line {} of what a deployment has to say about itself, of a length that is usual for such lines"


def command(lines: int) -> Command:
    """One that says that many lines."""
    if not lines:
        return Command(("true",), 60)
    text = "".join(f"{SAID.format(number)}\n" for number in range(lines))
    return Command(("printf", "%s", text), 60)


async def ours(hosts: list[Host], chosen: argparse.Namespace) -> None:
    """All that is wanted on each host, by our runner."""
    order = command(chosen.lines)
    journals = [StepJournal() for _ in hosts]
    with tempfile.TemporaryFile("w") as log:
        over = asyncio.Event()
        speaker = asyncio.create_task(speak(journals, log, over))
        async with SshHosts(at_once=chosen.at_once) as reached:

            async def one(number: int) -> None:
                target = hosts[number].target
                runner: Runner = reached.runner(target)
                if chosen.artifact is not None:
                    await runner.put(chosen.artifact, f"{target.directory}/{ARTIFACT}", 600)
                if chosen.fenced:
                    runner = FencedRunner(runner, f"{target.directory}/orders", Fence(time.time_ns() // 1000, 1))
                for _ in range(chosen.commands):
                    result = await runner.run(order, journals[number].line)
                    assert result.ok, result

            await at_most(chosen.at_once, one, len(hosts))
        over.set()
        await speaker
        log.seek(0, 2)
        assert log.tell() >= len(SAID) * chosen.lines * chosen.commands * len(hosts)


async def speak(journals: list[StepJournal], log: IO[str], over: asyncio.Event) -> None:
    """Write away what was said, every now and then, and what was said last."""
    while not over.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAY_SECONDS):
                await over.wait()
        await asyncio.to_thread(write, journals, log)


def write(journals: list[StepJournal], log: IO[str]) -> None:
    """Write away what was said since the last time."""
    for journal in journals:
        lines, _ = journal.drain()
        log.writelines(f"{line}\n" for line in lines)


async def bare(hosts: list[Host], chosen: argparse.Namespace) -> None:
    """The same command with nothing of ours around it: the least that asyncssh can do, and sshd with it."""
    keys = [asyncssh.import_public_key(host_key) for host_key in {host.host_key for host in hosts}]
    first = hosts[0].target
    options = asyncssh.SSHClientConnectionOptions(
        username=first.user, client_keys=[hosts[0].key], config=None, agent_path=None, known_hosts=(keys, [], [])
    )

    async def one(number: int) -> None:
        host = hosts[number]
        async with asyncssh.connect(host.address, host.port, options=options, config=None) as connection:
            for _ in range(chosen.commands):
                assert (await connection.run("true")).exit_status == 0

    await at_most(chosen.at_once, one, len(hosts))


async def at_most(slots: int, one: Callable[[int], Awaitable[None]], number: int) -> None:
    """All numbers below ``number``, so many at a time."""
    gate = asyncio.Semaphore(slots)

    async def gated(which: int) -> None:
        async with gate:
            await one(which)

    await asyncio.gather(*(gated(which) for which in range(number)))


def main() -> None:
    """Do it and tell."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("fleet", type=Path)
    options.add_argument("--hosts", type=int, required=True)
    options.add_argument("--at-once", type=int, default=50)
    options.add_argument("--artifact", type=Path)
    options.add_argument("--lines", type=int, default=0)
    options.add_argument("--commands", type=int, default=1)
    options.add_argument("--fenced", action="store_true")
    options.add_argument("--bare", action="store_true")
    options.add_argument("--profile", type=Path, help="where to leave what cProfile saw")
    chosen = options.parse_args()
    hosts = hosts_of(chosen.fleet, chosen.hosts)
    used = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    work = bare(hosts, chosen) if chosen.bare else ours(hosts, chosen)
    if chosen.profile:
        import cProfile  # noqa: PLC0415 (costs nothing when it is not wanted)

        with cProfile.Profile() as profile:
            asyncio.run(work)
        profile.dump_stats(chosen.profile)
    else:
        asyncio.run(work)
    told = {"start": used.ru_utime + used.ru_stime, "wall": time.perf_counter() - began}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
