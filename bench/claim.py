"""The lock under fire, and what it costs.

    .venv/bin/python -m bench.claim [--clients 100] [--rounds 5]

For SQLite and PostgreSQL: (1) many clients post for overlapping host sets at the same moment against gunicorn with
several processes; winners, double locks, answers that are neither 202 nor 409, p50 and p99. (2) claiming 1 … 10,000
instances, as a ratio to one bare SQL UPDATE of the same rows, each in its own committed transaction, interleaved in one
run: the guarded UPDATE alone, and the whole of ``operations.rollouts.start`` (plan, rollout, steps, claim, audit).
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Flask
from sqlalchemy import delete, update

from deployer import migrating
from deployer.app import create_app
from deployer.config import Settings
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, InstanceStatus
from deployer.extensions import db
from deployer.models import AuditEntry, Instance, Rollout, Step, claims
from deployer.models.columns import utc_now
from deployer.operations import rollouts
from deployer.operations.transaction import transaction
from tests.postgres import Cluster, missing_postgres
from tests.server import Server
from tests.storm import Ground, overlapping, prepare, storm
from tests.world import ADMIN

SIZES = (1, 100, 1_000, 10_000)


@contextlib.contextmanager
def console(home: Path, database_url: str) -> Iterator[Flask]:
    """An application on a fresh, migrated database."""
    secret = "0123456789abcdef" * 4
    settings = Settings(home, database_url, f"unix://{home / 'nobody.sock'}", secret, secure_cookies=False)
    app = create_app(settings)
    with app.app_context():
        migrating.upgrade()
        yield app
        db.session.remove()
        db.engine.dispose()


def race(app: Flask, clients: int, rounds: int) -> None:
    """Print how the storms ended."""
    groups, size = 5, 20
    ground = prepare(groups * size)
    winners = doubles = strange = 0
    times: list[float] = []
    with Server(app.config["SETTINGS"]) as server:
        for number in range(rounds):
            answers = storm(server.port, ground, overlapping(ground, groups, clients, seed=number))
            held = [host for answer in answers if answer.status == 202 for host in answer.asked]
            winners += sum(answer.status == 202 for answer in answers)
            doubles += len(held) - len(set(held))
            strange += sum(answer.status not in (202, 409) for answer in answers) + clients - len(answers)
            times += [answer.seconds for answer in answers]
            free_all()
    cuts = statistics.quantiles(times, n=100)
    print(
        f"  {rounds} storms of {clients} clients over {groups} disjoint groups: {winners} winners "
        f"(expected {rounds * groups}), {doubles} double locks, {strange} answers other than 202/409, "
        f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
    )


def free_all() -> None:
    """Give every instance back."""
    with transaction() as session:
        session.execute(update(Instance).values(rollout_id=None, status=InstanceStatus.RUNNING))
        for table in (Step, Rollout, AuditEntry):
            session.execute(delete(table))


def costs(rounds: int) -> None:
    """Print the ratios."""
    ground = prepare(max(SIZES))
    ids = list(db.session.execute(db.select(Instance.id).order_by(Instance.id)).scalars())
    print("  instances |   bare UPDATE |    claim (ratio) | whole start (ratio)")
    for size in SIZES:
        measured: dict[str, list[float]] = {"bare": [], "claim": [], "start": []}
        for _ in range(rounds):
            for name, work in variants(ground, ids[:size]).items():
                measured[name].append(work())
                free_all()
        bare, claim, start = (statistics.median(measured[name]) * 1000 for name in ("bare", "claim", "start"))
        print(
            f"  {size:9,} | {bare:10.2f} ms | {claim:7.2f} ms {claim / bare:5.2f} | {start:8.2f} ms {start / bare:6.2f}"
        )


def variants(ground: Ground, ids: list[int]) -> dict[str, Callable[[], float]]:
    """Three ways to change the same rows; each returns the seconds until its commit."""
    hosts = HostChoice(everyone=False, ids=tuple(ground.hosts[: len(ids)]))
    command = StartRollout(ground.service, ground.source, Action.UPGRADE, ground.target, hosts)

    def holder() -> Rollout:
        with transaction() as session:
            rollout = Rollout(
                service_id=ground.service,
                action=Action.UPGRADE,
                from_version_id=ground.source,
                to_version_id=ground.target,
                created_by="bench",
            )
            session.add(rollout)
        db.session.refresh(rollout)
        db.session.expunge(rollout)
        return rollout

    def bare() -> float:
        rollout, at = holder(), utc_now()
        began = time.perf_counter()
        with transaction() as session:
            session.execute(
                update(Instance)
                .where(Instance.id >= ids[0], Instance.id <= ids[-1])
                .values(rollout_id=rollout.id, status=InstanceStatus.UPGRADING, rev=1, updated=at, updated_by="bench")
            )
        return time.perf_counter() - began

    def claim() -> float:
        rollout, at = holder(), utc_now()
        began = time.perf_counter()
        with transaction() as session:
            assert claims.claim(session(), rollout, ids, at, 1) == len(ids)
        return time.perf_counter() - began

    def start() -> float:
        began = time.perf_counter()
        accepted = rollouts.start(command, ADMIN)
        assert len(accepted.host_ids) == len(ids)
        return time.perf_counter() - began

    return {"bare": bare, "claim": claim, "start": start}


def main() -> None:
    """Run it all and print it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clients", type=int, default=100)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    logging.disable()  # there is no Redis here, and every start would say so
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {"SQLite": [f"sqlite:///{home / name}.db" for name in ("race", "cost")]}
        missing = missing_postgres()
        if missing:
            print(f"PostgreSQL left out: {missing}")
        else:
            cluster = stack.enter_context(Cluster())
            databases["PostgreSQL"] = [cluster.create(name) for name in ("race", "cost")]
        for name, (for_race, for_cost) in databases.items():
            print(name)
            with console(home, for_race) as app:
                race(app, chosen.clients, chosen.rounds)
            with console(home, for_cost):
                costs(chosen.rounds)


if __name__ == "__main__":
    main()
