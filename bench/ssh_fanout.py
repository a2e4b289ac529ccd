"""Many hosts by SSH: our runner beside ansible-core and OpenSSH.

    .venv/bin/python -m bench.ssh_fanout [--quick] [--hosts 1,50,200] [--rounds 5] [--no-ansible] [--only-rollout]

It starts its own sshd on as many loopback addresses, all with the same key exchange (curve25519). Then, in one run and
in pairs, so that what else the machine does hits both: our runner and one of the others, each as a process of its own,
50 hosts at a time, for the command ``true`` and for 1 MiB that is sent before it. Wall time and CPU are those of the
whole client, from the start of its interpreter to the end of the last process it leaves; ratios are taken within a
pair. Last, whole rollouts through a worker and a database (``bench.ssh_rollout``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from bench import ssh_peers, ssh_rollout
from bench.ssh_ours import ARTIFACT
from bench.ssh_peers import Contender, Files
from bench.ssh_rollout import DEMANDED
from bench.sshd_fleet import Fleet, cores
from bench.stopwatch import cost_of
from tests.sshd import missing_sshd

MEBIBYTE = 1 << 20
AT_ONCE = 50
LINES = 20
OURS, BARE, LOGGED = "ours", "bare asyncssh", f"ours, {LINES} lines said"


@dataclass(frozen=True)
class Trial:
    """One client on ``hosts`` hosts: seconds, and MB. ``inside`` is the wall time after the start of the interpreter,
    and ``start`` the CPU before, where a client tells them."""

    hosts: int
    wall: float
    cpu: float
    peak: float
    sshd: float
    inside: float
    start: float

    @property
    def cpu_each(self) -> float:
        """Milliseconds of CPU a host."""
        return self.cpu / self.hosts * 1000


@dataclass(frozen=True)
class Row:
    """What one contender did, and in pairs with it, what we did."""

    name: str
    trials: list[Trial]
    ours: list[Trial]

    @property
    def walls(self) -> list[float]:
        """How often its wall time contains ours."""
        return [other.wall / our.wall for other, our in zip(self.trials, self.ours, strict=True)]

    @property
    def cpus(self) -> list[float]:
        """The same of the CPU."""
        return [other.cpu / our.cpu for other, our in zip(self.trials, self.ours, strict=True)]


class Bench:
    """Contenders on a fleet."""

    def __init__(self, fleet: Fleet, artifact: Path) -> None:
        self._fleet = fleet
        self.artifact = artifact

    def ours(self, name: str, *more: str) -> Contender:
        """Our runner in a process of its own."""
        argv = [sys.executable, "-m", "bench.ssh_ours", str(self._fleet.file), "--at-once", str(AT_ONCE), *more]
        return Contender(name, lambda number: [*argv, "--hosts", str(number)])

    def trial(self, contender: Contender, hosts: int, upload: bool) -> Trial:
        """One contender once."""
        self._fleet.clear()
        before = self._fleet.cpu()
        log = self._fleet.home / "log"
        cost = cost_of(contender.argv(hosts), log, os.environ | contender.env())
        size = self.artifact.stat().st_size
        if upload and not self._fleet.have(ARTIFACT, size, hosts):
            raise RuntimeError(f"{contender.name} did not bring the artifact to each host: {cost.said[-2000:]}")
        until = time.monotonic() + 10
        while not self._fleet.is_quiet() and time.monotonic() < until:
            time.sleep(0.02)
        told = json.loads(cost.said) if "bench.ssh_ours" in contender.argv(hosts) else {}
        sshd = self._fleet.cpu() - before
        return Trial(hosts, cost.wall, cost.cpu, cost.peak, sshd, told.get("wall", 0), told.get("start", 0))

    def pairs(self, us: Contender, others: Sequence[Contender], hosts: int, rounds: int, upload: bool) -> list[Row]:
        """Each of the others beside us, so many times, in turn who begins."""
        rows = [Row(other.name, [], []) for other in others]
        for number in range(rounds):
            for other, row in zip(others, rows, strict=True):
                for one in (us, other) if number % 2 else (other, us):
                    (row.ours if one is us else row.trials).append(self.trial(one, hosts, upload))
        return [Row(us.name, every := [trial for row in rows for trial in row.ours], every), *rows]


def spread(values: Sequence[float], form: str) -> str:
    """The median, and the least and the most."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def table(title: str, rows: Sequence[Row]) -> None:
    """Print them."""
    columns = ("medians (least–most)", "wall, s", "client CPU a host, ms", "of sshd", "wall to ours", "CPU to ours")
    print(f"\n{title}")
    print("  {:22} | {:>20} | {:>22} | {:>7} | {:>20} | {}".format(*columns))
    for row in rows:
        walls = spread([trial.wall for trial in row.trials], ".2f")
        cpus = spread([trial.cpu_each for trial in row.trials], ".1f")
        sshd = statistics.median(trial.sshd / trial.hosts * 1000 for trial in row.trials)
        ratios = "" if row is rows[0] else f"{spread(row.walls, '.2f'):>20} | {spread(row.cpus, '.2f')}"
        print(f"  {row.name:22} | {walls:>20} | {cpus:>22} | {sshd:7.1f} | {ratios}", flush=True)
    start = statistics.median(trial.start / trial.hosts * 1000 for trial in rows[0].trials)
    peak = max(trial.peak for trial in rows[0].trials)
    print(f"  {start:.1f} ms of our CPU a host are the start of the interpreter. Our peak memory was {peak:.0f} MB.")


FLOOR = """
  The floor is {floor:.2f} s: the CPU that sshd takes for {hosts} handshakes and as many `true`, asked by asyncssh with
  nothing of ours around it, divided by all {cores} cores, as if the client took none of them: no client that shares the
  machine with its hosts gets there. Bare asyncssh took {bare:.2f} s and we {ours:.2f} s, both at their best and without
  the start of the interpreter.\
"""


def verdicts(hosts: int, command: dict[str, Row], upload: dict[str, Row]) -> None:
    """Print each demand, and whether it is met."""
    asked = "" if hosts == DEMANDED else f" (they are made for {DEMANDED}: there is no verdict here)"
    print(f"\nDemands, at {hosts} hosts{asked}")

    def line(what: str, value: float, limit: float, unit: str = "x", *, at_least: bool = False) -> None:
        met = value >= limit if at_least else value <= limit
        verdict = "" if asked else "met    " if met else "NOT MET"
        print(f"  {verdict:7}  {what}: {value:.2f}{unit}, demanded {'≥' if at_least else '≤'} {limit:g}{unit}")

    ours, bare, logged = command[OURS], command[BARE], command[LOGGED]
    if "ansible raw" in command:
        raw, modules, copy = command["ansible raw"], command["ansible command"], upload["ansible copy, raw"]
        line("client CPU less than that of ansible raw", statistics.median(raw.cpus), 10, at_least=True)
        line("wall less than that of ansible raw", statistics.median(raw.walls), 3, at_least=True)
        line("wall less than that of ansible command", statistics.median(modules.walls), 7, at_least=True)
        line("upload and command, wall less than copy and raw", statistics.median(copy.walls), 9, at_least=True)
    floor = statistics.median(trial.sshd for trial in bare.trials) / cores()
    best, least = (min(trial.inside for trial in row.trials) for row in (ours, bare))
    line("best wall to the floor", best / floor, 1.2)
    line("best wall to that of bare asyncssh", best / least, 1.2)
    with_log = statistics.median(trial.cpu_each for trial in logged.trials)
    line(f"client CPU a host, with {LINES} lines in its log", with_log, 15, " ms")
    every = [*ours.trials, *logged.trials, *upload[OURS].trials]
    line("peak memory", max(trial.peak for trial in every), 150, " MB")
    print(FLOOR.format(floor=floor, hosts=hosts, cores=cores(), bare=least, ours=best))


def compare(fleet: Fleet, sizes: Sequence[int], rounds: int, with_ansible: bool) -> None:
    """All tables, and the verdicts on the last of them."""
    artifact = fleet.home / "artifact.bin"
    artifact.write_bytes(os.urandom(MEBIBYTE))
    bench, files = Bench(fleet, artifact), Files(fleet, artifact, AT_ONCE)
    commands = [
        bench.ours(BARE, "--bare"),
        bench.ours(LOGGED, "--lines", str(LINES)),
        ssh_peers.openssh(files, upload=False),
    ]
    uploads = [ssh_peers.openssh(files, upload=True)]
    programs = ssh_peers.installed_ansible() if with_ansible else "not wanted"
    if isinstance(programs, Path):
        commands += [ssh_peers.ansible(files, programs, module) for module in ("raw", "command")]
        uploads += [ssh_peers.playbook(files, programs)]
        print(f"Beside us: {ssh_peers.version_of([str(programs / 'ansible'), '--version'])}", end="; ")
    else:
        print(f"ansible-core left out: {programs}")
    print(f"{ssh_peers.version_of(['ssh', '-V'])}; asyncssh {asyncssh.__version__}", flush=True)
    for hosts in sizes:
        rows = bench.pairs(bench.ours(OURS), commands, hosts, rounds, upload=False)
        where = f"on {hosts} hosts, {AT_ONCE} at a time" if hosts > 1 else "on 1 host"
        table(f"`true` {where}", rows)
        us = bench.ours(OURS, "--artifact", str(artifact))
        sent = bench.pairs(us, uploads, hosts, rounds, upload=True)
        table(f"1 MiB, then `true` {where}", sent)
    verdicts(sizes[-1], {row.name: row for row in rows}, {row.name: row for row in sent})


def main() -> None:
    """Run it all and print it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a small version, in two or three minutes")
    options.add_argument("--hosts", default="", help="how many, in ascending order: 1,50,200")
    options.add_argument("--rounds", type=int, default=0, help="pairs of each kind")
    options.add_argument("--no-ansible", action="store_true", help="do not install nor measure ansible-core")
    options.add_argument("--only-rollout", action="store_true", help="measure whole rollouts, and nothing else")
    chosen = options.parse_args()
    missing = missing_sshd()
    if missing:
        sys.exit(f"There is nothing to connect to: {missing}.")
    sizes = [int(number) for number in (chosen.hosts or ("1,20" if chosen.quick else "1,50,200")).split(",")]
    rounds = chosen.rounds or (2 if chosen.quick else 5)
    busy = os.getloadavg()[0]
    if busy > 1:
        print(f"This machine is busy with other things (load {busy:.0f}): only ratios say something now.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Told to stop."))  # no sshd is left behind
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fan")))
        fleet = stack.enter_context(Fleet(home, max(sizes)))
        if not chosen.only_rollout:
            compare(fleet, sizes, rounds, not chosen.no_ansible)
        ssh_rollout.compare(fleet, sizes[-1], AT_ONCE, rounds)


if __name__ == "__main__":
    main()
