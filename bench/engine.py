"""What the engine costs while the hosts do the work.

    .venv/bin/python -m bench.engine [--quick] [--statements] [--only sqlite|postgresql]

For SQLite and PostgreSQL, with real worker processes, a real Redis and errands that only wait (``bench.hands``): a
rollout over 1,000 hosts of 2 s each, 100 at a time, by one worker and by two, and once with hosts that take 1 to 3 s so
that they do not end together; then a sample of the same through one RQ job per host, which is how such consoles are
usually built, scaled to the whole. ``ideal`` is hosts × seconds ÷ slots; CPU is that of the whole worker tree; a
statement is a round trip to the database. Last, how long one waits between two things when nothing else takes time.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, func, select, update

from deployer import embedded, lifetime, migrating
from deployer.app import create_app
from deployer.config import Settings, sqlite_url
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, InstanceStatus
from deployer.domain.strategy import AT_ONCE, Strategy, WaveSize
from deployer.extensions import db
from deployer.models import Instance, Rollout, Step, StepLog, WorkerRow
from deployer.models.columns import utc_now
from deployer.operations import rollouts
from deployer.operations.transaction import transaction
from deployer.queue import ring
from tests.postgres import Cluster, missing_postgres
from tests.storm import Ground, prepare
from tests.world import ADMIN

PATIENCE = 900.0
WAVES = 10


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    hosts: int
    slots: int
    seconds: float
    sample: int  # hosts for one job per host

    def ideal(self, workers: int) -> float:
        """Seconds for the whole when nothing costs anything."""
        return self.hosts * self.seconds / (self.slots * workers)


FULL = Size(hosts=1_000, slots=100, seconds=2.0, sample=40)
QUICK = Size(hosts=200, slots=50, seconds=1.0, sample=10)


@dataclass(frozen=True)
class Measured:
    """A rollout over ``hosts``, carried out. ``peak`` is of the largest work-horse, in MB."""

    hosts: int
    wall: float
    cpu: float
    statements: Counter[str]
    peak: float

    @property
    def cpu_each(self) -> float:
        """Milliseconds of CPU per step."""
        return self.cpu / self.hosts * 1000

    @property
    def statements_each(self) -> float:
        """Statements per step."""
        return self.statements.total() / self.hosts


@contextlib.contextmanager
def console(home: Path, database_url: str) -> Iterator[Settings]:
    """An application with a fresh, migrated database and a Redis of its own."""
    secret = "0123456789abcdef" * 4
    settings = Settings(home, database_url, f"unix://{home / 'redis.sock'}", secret, secure_cookies=False)
    with embedded.running(settings), create_app(settings).app_context():
        migrating.upgrade()
        yield settings
        db.session.remove()
        db.engine.dispose()


class Workers:
    """Idle workers around a block; what they used is known after it."""

    def __init__(self, settings: Settings, number: int, size: Size, *more: str) -> None:
        self.number = number
        self.directory = Path(tempfile.mkdtemp(dir=settings.home))
        options = ["--slots", str(size.slots), "--seconds", str(size.seconds), "--report", str(self.directory), *more]
        self.argv = [sys.executable, "-m", "bench.hands", *options]
        self.env = os.environ | {
            "DEPLOYER_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "SECRET_KEY": settings.secret_key,
        }

    def __enter__(self) -> Workers:
        log = self.directory / "log"
        self.processes = [lifetime.spawn(self.argv, log, env=self.env) for _ in range(self.number)]
        until = time.monotonic() + PATIENCE
        while alive() < self.number:
            if time.monotonic() > until or any(process.poll() is not None for process in self.processes):
                raise RuntimeError(f"The workers do not come up: {log.read_text()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        db.session.rollback()  # no transaction is open while we wait
        for process in self.processes:
            process.terminate()  # once: a second signal ends a worker at once, without its report
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            lifetime.end(process, 0)

    def measured(self, hosts: int, wall: float) -> Measured:
        """What carrying out a rollout took them, by their own reports."""
        told = [json.loads(file.read_text()) for file in self.directory.glob("*.json")]
        statements: Counter[str] = Counter()
        for one in told:
            statements.update(one["statements"])
        return Measured(
            hosts,
            wall,
            sum(one.get("cpu", 0) for one in told),
            statements,
            max(one["peak"] for one in told if one["kind"] == "horse"),
        )


def alive() -> int:
    """How many workers say that they live."""
    db.session.rollback()
    return db.session.execute(select(func.count()).select_from(WorkerRow)).scalar_one()


def start(ground: Ground, hosts: int, strategy: Strategy = AT_ONCE) -> int:
    """Start a rollout over the first ``hosts``."""
    chosen = HostChoice(everyone=False, ids=tuple(ground.hosts[:hosts]))
    command = StartRollout(ground.service, ground.source, Action.UPGRADE, ground.target, chosen, strategy=strategy)
    return rollouts.start(command, ADMIN).rollout_id


def end_of(rollout_id: int) -> float:
    """Wait for the end of a rollout. Returns how long it took, as its page says."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        db.session.rollback()
        rollout = db.session.get_one(Rollout, rollout_id)
        if rollout.finished is not None:
            assert rollout.state == "succeeded", rollout.state
            return (rollout.finished - rollout.created).total_seconds()
        time.sleep(0.1)
    raise RuntimeError(f"rollout {rollout_id} does not end")


def forget(ground: Ground) -> None:
    """As if nothing had been carried out; but the record of changes is only ever added to."""
    with transaction() as session:
        session.execute(
            update(Instance).values(rollout_id=None, status=InstanceStatus.RUNNING, version_id=ground.source)
        )
        for table in (StepLog, Step, Rollout):
            session.execute(delete(table))


def carry_out(settings: Settings, ground: Ground, size: Size, number: int, *more: str) -> Measured:
    """One rollout over all hosts by ``number`` workers."""
    forget(ground)
    with Workers(settings, number, size, *more) as workers:
        wall = end_of(start(ground, size.hosts))
    return workers.measured(size.hosts, wall)


def job_per_step(settings: Settings, ground: Ground, size: Size, number: int) -> Measured:
    """A rollout over the sample, for each of whose hosts a job is enqueued."""
    forget(ground)
    with Workers(settings, number, size, "--job-per-step") as workers:
        rollout_id = start(ground, size.sample)
        for _ in range(size.sample - 1):
            ring(rollout_id)
        wall = end_of(rollout_id)
    return workers.measured(size.sample, wall)


def compare(settings: Settings, ground: Ground, size: Size, texts: bool) -> None:
    """Print the table, and the ratios to one job per host."""
    print(f"  {'':28} |     wall | to ideal | CPU a step | statements a step | peak RSS")

    def row(name: str, ideal: float, one: Measured) -> None:
        wall = one.wall * size.hosts / one.hosts
        print(
            f"  {name:28} | {wall:6.2f} s | {wall / ideal:7.2f}x | {one.cpu_each:7.2f} ms "
            f"| {one.statements_each:17.2f} | {one.peak:5.0f} MB",
            flush=True,
        )
        if texts:
            for text, count in one.statements.most_common(20):
                print(f"  {count:6} {' '.join(text.split())[:150]}")

    spread = size.seconds / 2
    row(f"1 worker of {size.slots}", size.ideal(1), carry_out(settings, ground, size, 1))
    two = carry_out(settings, ground, size, 2)
    row(f"2 workers of {size.slots}", size.ideal(2), two)
    uneven = carry_out(settings, ground, size, 1, "--spread", str(spread))
    row(f"1 worker, {size.seconds - spread:g} to {size.seconds + spread:g} s", size.ideal(1), uneven)
    peer = job_per_step(settings, ground, size, 2)
    row("2 workers, a job per host *", size.ideal(2), peer)
    print(
        f"  * {peer.hosts} hosts, scaled to {size.hosts:,}. Against two workers of {size.slots} it takes "
        f"{peer.wall / peer.hosts / two.wall * two.hosts:.0f} times as long, "
        f"{peer.cpu_each / two.cpu_each:.1f} times the CPU and "
        f"{peer.statements_each / two.statements_each:.1f} times the statements."
    )


def latency(settings: Settings, ground: Ground, size: Size, rounds: int) -> None:
    """Print how long it takes to begin, and to go from one wave to the next, when hosts take no time."""
    first, between = [], []
    with Workers(settings, 1, size, "--seconds", "0") as _:
        for _round in range(rounds):
            forget(ground)
            time.sleep(0.5)  # the worker is idle again
            began = utc_now()
            rollout_id = start(ground, WAVES, Strategy(WaveSize(hosts=1)))
            end_of(rollout_id)
            times = db.session.execute(
                select(Step.started, Step.finished).where(Step.rollout_id == rollout_id).order_by(Step.wave)
            ).all()
            first.append((times[0].started - began).total_seconds() * 1000)
            between += [
                (later.started - one.finished).total_seconds() * 1000 for one, later in itertools.pairwise(times)
            ]
    print(
        f"  From the click to the first step taken {statistics.median(first):.0f} ms (at most {max(first):.0f}); "
        f"from the end of a wave to the start of the next {statistics.median(between):.0f} ms (at most "
        f"{max(between):.0f})."
    )


def main() -> None:
    """Run it all and print it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a small version, in a minute")
    options.add_argument("--statements", action="store_true", help="which statements there were, and how many")
    options.add_argument("--only", choices=["sqlite", "postgresql"])
    chosen = options.parse_args()
    size = QUICK if chosen.quick else FULL
    logging.disable()
    busy = os.getloadavg()[0]
    if busy > 1:
        print(f"This machine is busy with other things (load {busy:.0f}): wall times say little now.")
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {"SQLite": sqlite_url(home / "engine.db")}
        missing = missing_postgres()
        if missing:
            print(f"PostgreSQL left out: {missing}")
        elif chosen.only != "sqlite":
            databases["PostgreSQL"] = stack.enter_context(Cluster()).create("engine")
        if chosen.only == "postgresql":
            del databases["SQLite"]
        for name, url in databases.items():
            print(f"{name}: {size.hosts:,} hosts of {size.seconds:g} s", flush=True)
            with console(home / name, url) as settings:
                ground = prepare(size.hosts)
                compare(settings, ground, size, chosen.statements)
                latency(settings, ground, size, rounds=5)


if __name__ == "__main__":
    main()
