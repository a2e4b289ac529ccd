"""What goes wrong. Each does it and says what it did; processes that end are started again by the town."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass

from deployer import queue
from tests.chaos.program import children, send, state
from tests.chaos.town import WORKERS, Town

PAST_LEASE = 36.0  # seconds; a lease is 30
POSTGRES_AWAY = 10.0
SSHD_AWAY = (2.0, 12.0)
VICTIMS = ("worker", "work-horse", "worker and work-horse", "web", "web worker")


def kill(town: Town, dice: random.Random, number: int) -> str:
    """KILL to a process, without a warning."""
    victim = VICTIMS[number % len(VICTIMS)]
    if victim.startswith("web"):
        master = town.programs["web"].pid
        workers = children(master)
        pids = [master] if victim == "web" or not workers else [dice.choice(workers)]
    else:
        worker, horses = _busy_worker(town, dice)
        pids = {"worker": [worker], "work-horse": horses or [worker]}.get(victim, [*horses, worker])
    for pid in pids:
        send(pid, signal.SIGKILL)
    return f"KILL to {victim} {pids}"


def wipe_redis(town: Town, dice: random.Random, number: int) -> str:
    """Redis dies and forgets everything."""
    redis = town.programs["redis"]
    redis.away = dice.uniform(0.5, 5)
    send(redis.pid, signal.SIGKILL)
    assert redis.process is not None
    redis.process.wait()
    shutil.rmtree(redis.cwd)
    redis.cwd.mkdir()
    return f"Redis wiped and away for {redis.away:.1f} s"


def stop_postgres(town: Town, dice: random.Random, number: int) -> str:
    """PostgreSQL ends as in a crash and comes back later."""
    if town.cluster is None:
        return "nothing: there is no PostgreSQL here"
    town.cluster.stop()
    town.later(POSTGRES_AWAY, town.cluster.start)
    return f"PostgreSQL away for {POSTGRES_AWAY:g} s"


def freeze(town: Town, dice: random.Random, number: int) -> str:
    """A worker stands still until after its leases, and goes on as if nothing had been."""
    worker, horses = _busy_worker(town, dice)
    pids = [worker, *horses]
    for pid in pids:
        send(pid, signal.SIGSTOP)
    for pid in reversed(pids):
        town.later(PAST_LEASE, lambda pid=pid: send(pid, signal.SIGCONT))
    return f"STOP to worker and work-horse {pids} for {PAST_LEASE:g} s"


def ring_again(town: Town, dice: random.Random, number: int) -> str:
    """The doorbell of a live rollout comes a second time."""
    live = sorted(town.books.live)
    if not live:
        return "nothing: no rollout is live"
    rollout_id = dice.choice(live)
    with town.app.app_context():
        queue.ring(rollout_id)
    return f"the doorbell of rollout {rollout_id} twice"


def cut_off(town: Town, dice: random.Random, number: int) -> str:
    """In turn: SSH connections are all cut, or silent until after the leases, or the hosts are away for a while."""
    sshd = town.sshd
    if sshd is None:
        return "nothing: there is no sshd here"
    town.until(sshd.children, 5)
    open_now = sshd.children()
    if number % 3 == 0:
        sshd.signal_connections(signal.SIGKILL)
        return f"{len(open_now)} SSH connections cut"
    if number % 3 == 1:
        for pid in open_now:
            send(pid, signal.SIGSTOP)
            town.later(PAST_LEASE, lambda pid=pid: send(pid, signal.SIGCONT))
        return f"{len(open_now)} SSH connections silent for {PAST_LEASE:g} s"
    away = dice.uniform(*SSHD_AWAY)
    sshd.stop()
    town.later(away, sshd.start)
    return f"sshd away for {away:.1f} s, with {len(open_now)} connections"


@dataclass(frozen=True)
class Kind:
    """A kind of fault: how often, and whether each waits until everything has recovered from the one before."""

    title: str
    strike: Callable[[Town, random.Random, int], str]
    count: int
    patient: bool = True


KINDS = {
    "kill": Kind("kill -9", kill, 40),
    "redis": Kind("Redis wiped", wipe_redis, 20),
    "postgres": Kind("PostgreSQL stopped", stop_postgres, 5),
    "stop": Kind("worker stopped", freeze, 20),
    "ssh": Kind("SSH cut off", cut_off, 30),
    "doorbell": Kind("doorbell twice", ring_again, 200, patient=False),
}


def _busy_worker(town: Town, dice: random.Random) -> tuple[int, list[int]]:
    """A worker that is not stopped and has a work-horse, if one comes soon; and its work-horses."""

    def awake() -> list[int]:
        return [pid for pid in (town.programs[name].pid for name in WORKERS) if state(pid) != "T"]

    def busy() -> list[int]:
        return [pid for pid in awake() if children(pid)]

    town.until(busy, 5)
    worker = dice.choice(busy() or awake())
    return worker, children(worker)
