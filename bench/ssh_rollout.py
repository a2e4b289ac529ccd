"""Whole rollouts by SSH: claim, steps, probe and settle, through a real worker and a real database.

Run by ``bench.ssh_fanout --rollout``. The recipe is a script that deploys with ``true`` and answers with ``echo``: two
commands a host, in the wrapper that keeps every other command off it. Beside each rollout stands a bare fan-out: our
runner alone, with two ``true`` a host, without a wrapper and then with it.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time

from sqlalchemy import insert

from bench.engine import Measured, Size, Workers, console, end_of, forget, start
from bench.sshd_fleet import Fleet
from bench.stopwatch import cost_of
from deployer.config import Settings, sqlite_url
from deployer.domain.reach import CredentialKind
from deployer.domain.recipe import ScriptRecipe
from deployer.domain.status import BuildStatus, Evidence, InstanceStatus, Reach
from deployer.extensions import db
from deployer.models import CredentialRow, Host, HostKey, Instance
from deployer.models.columns import utc_now
from deployer.operations import catalog
from deployer.operations.catalog import Build, NewService, NewVersion
from tests.storm import Ground
from tests.world import ADMIN

COMMANDS = 2  # deploy and probe
DEMANDED = 200  # hosts, for which there is a verdict
AIM = 1.5
MEMORY = 150


def world(fleet: Fleet) -> Ground:
    """The fleet in the database: a file has its key, and its host keys are approved."""
    service = catalog.add_service(NewService("orders", ScriptRecipe(("true",), ("echo", "2"))), ADMIN)
    source, target = (
        catalog.add_version(service, NewVersion(label, Build(BuildStatus.SUCCESS)), ADMIN) for label in "12"
    )
    credential = CredentialRow(name="bench", kind=CredentialKind.FILE, public=str(fleet.key))
    db.session.add(credential)
    db.session.flush()
    way = {"reach": Reach.SSH, "ssh_user": fleet.hosts[0].target.user, "ssh_port": fleet.port}
    db.session.execute(
        insert(Host),
        [
            {"hostname": host.address, "address": host.address, "directory": host.directory} | way
            | {"credential_id": credential.id}
            for host in fleet.hosts
        ],
    )  # fmt: skip
    ids = dict(db.session.execute(db.select(Host.address, Host.id)).tuples().all())
    now = utc_now()
    db.session.execute(
        insert(HostKey),
        [
            {"host_id": ids[host.address], "key": host.host_key, "fingerprint": "", "approved": now}
            for host in fleet.hosts
        ],
    )
    common = {"service_id": service, "version_id": source, "port": 8000, "evidence": Evidence.RECORDED}
    status = {"status": InstanceStatus.RUNNING}
    db.session.execute(insert(Instance), [common | status | {"host_id": ids[host.address]} for host in fleet.hosts])
    db.session.commit()
    return Ground(service, source, target, [ids[host.address] for host in fleet.hosts], "")


def carried_out(settings: Settings, ground: Ground, fleet: Fleet, hosts: int, slots: int) -> Measured:
    """One rollout over the first hosts."""
    forget(ground)
    fleet.clear()
    with Workers(settings, 1, Size(hosts, slots, 0, 0), "--real") as workers:
        time.sleep(1)  # the worker is idle
        wall = end_of(start(ground, hosts))
    return workers.measured(hosts, wall)


def fanned_out(fleet: Fleet, hosts: int, slots: int, *more: str) -> float:
    """As many commands and nothing else: seconds without the start of the interpreter, which a worker has behind it."""
    fleet.clear()
    argv = [sys.executable, "-m", "bench.ssh_ours", str(fleet.file), "--hosts", str(hosts), "--at-once", str(slots)]
    cost = cost_of([*argv, "--commands", str(COMMANDS), *more], fleet.home / "log")
    return float(json.loads(cost.said)["wall"])


def compare(fleet: Fleet, hosts: int, slots: int, rounds: int) -> None:
    """Rollouts and fan-outs in turn; print what one is to the other."""
    logging.disable()
    home = fleet.home / "console"
    bare, wrapped, rollouts = [], [], []
    with console(home, sqlite_url(home / "rollout.db")) as settings:
        ground = world(fleet)
        for _ in range(rounds):
            bare.append(fanned_out(fleet, hosts, slots))
            rollouts.append(carried_out(settings, ground, fleet, hosts, slots))
            wrapped.append(fanned_out(fleet, hosts, slots, "--fenced"))
    report(hosts, slots, bare, wrapped, rollouts)


def report(hosts: int, slots: int, bare: list[float], wrapped: list[float], rollouts: list[Measured]) -> None:
    """Print it."""
    walls = [rollout.wall for rollout in rollouts]

    def row(name: str, seconds: list[float]) -> float:
        ratios = [wall / other for wall, other in zip(walls, seconds, strict=True)]
        spread = f"{statistics.median(seconds):.2f} s ({min(seconds):.2f}–{max(seconds):.2f})"
        rest = f"({min(ratios):.2f}–{max(ratios):.2f})"
        print(f"  {name:30} | {spread:>22} | {statistics.median(ratios):.2f} {rest}")
        return statistics.median(ratios)

    print(f"\nA rollout over {hosts} hosts, {slots} at a time, from the click to its end (SQLite, one worker)")
    print(f"  {'medians (least–most)':30} | {'wall':>22} | the rollout to it")
    row("the rollout", walls)
    ratio = row("2 commands a host, bare", bare)
    row("2 commands a host, wrapped", wrapped)
    each = statistics.median(rollout.cpu_each for rollout in rollouts)
    statements = statistics.median(rollout.statements_each for rollout in rollouts)
    peak = max(rollout.peak for rollout in rollouts)
    print(f"  {each:.1f} ms CPU of the whole worker and {statements:.1f} statements a step")
    for name, value, limit, unit in (
        ("rollout to bare", ratio, AIM, "x"),
        ("peak memory of the work-horse, all loaded", peak, MEMORY, " MB"),
    ):
        verdict = "" if hosts < DEMANDED else "met" if value <= limit else "NOT MET"
        print(f"  {verdict:7}  {name}: {value:.2f}{unit}, demanded ≤ {limit:g}{unit}")
