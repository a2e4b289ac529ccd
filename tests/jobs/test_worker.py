"""The worker process: a real Redis, a real RQ worker, forged jobs, lost doorbells and a killed work-horse."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import select

from deployer import embedded, queue
from deployer.config import read_settings
from deployer.domain.recipe import HealthCheck, ReleaseRecipe
from deployer.domain.status import Action, InstanceStatus, RolloutState, StepState
from deployer.domain.strategy import Strategy, WaveSize
from deployer.extensions import db
from deployer.models import AuditEntry, Step
from deployer.operations import catalog
from deployer.operations.catalog import NewService
from deployer.queries import rollouts, workers
from tests.jobs.conftest import Fleet
from tests.world import ADMIN


def wait_for(condition: Callable[[], bool], seconds: float = 45) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


class OwnRedis:
    """A Redis that a test may kill."""

    def __init__(self, home: Path) -> None:
        self.settings = read_settings({"DEPLOYER_HOME": str(home)})
        self.url = self.settings.redis_url
        self.start_empty()

    def start_empty(self) -> None:
        shutil.rmtree(self.settings.home, ignore_errors=True)
        self.settings.home.mkdir(mode=0o700)
        process = embedded.ensure(self.settings)
        assert process is not None
        self.process = process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    found = OwnRedis(tmp_path / "own-redis")
    yield found
    found.kill()


@pytest.fixture
def worker(app: Flask, redis_url: str) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a worker process on the test's database and Redis."""
    app.config["REDIS_URL"] = redis_url
    with queue.connect(redis_url) as connection:
        connection.flushall()
    settings = app.config["SETTINGS"]
    environment = {
        "PATH": os.environ["PATH"],
        "DEPLOYER_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": settings.secret_key,
    }
    started: list[subprocess.Popen[bytes]] = []
    log = Path(settings.home, "worker.log")

    def start(url: str = redis_url, **more: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "deployer", "worker"],
                env={**environment, "REDIS_URL": url, **more},
                stdout=output,
                stderr=output,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def ended(rollout_id: int) -> Callable[[], bool]:
    def look() -> bool:
        db.session.rollback()
        return not rollouts.rollout(rollout_id).moving

    return look


def test_a_worker_that_hears_the_doorbell_carries_the_rollout_out(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    worker()
    rollout_id = real_fleet.start("1.4.0")
    wait_for(ended(rollout_id))
    assert rollouts.rollout(rollout_id).state is RolloutState.SUCCEEDED
    assert real_fleet.answers() == ["1.4.0", "1.4.0"]


def test_work_accepted_while_redis_was_away_is_found_by_the_next_worker(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    reachable = app.config["REDIS_URL"]
    app.config["REDIS_URL"] = "unix:///nowhere/redis.sock"
    rollout_id = real_fleet.start("1.4.0")
    app.config["REDIS_URL"] = reachable
    with queue.connect(reachable) as connection:
        assert connection.llen(f"rq:queue:{queue.NAME}") == 0
    worker()
    wait_for(ended(rollout_id))
    assert rollouts.rollout(rollout_id).state is RolloutState.SUCCEEDED


def test_a_killed_work_horse_leaves_no_lock_and_the_host_is_asked(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    worker()
    rollout_id = real_fleet.start("1.2.0")  # its health check fails for seconds: time to kill

    def horse() -> int:
        db.session.rollback()
        names = db.session.execute(
            select(Step.worker).where(Step.rollout_id == rollout_id, Step.state == StepState.RUNNING)
        ).scalars()
        return next((int(name.rpartition(":")[2]) for name in names), 0)

    wait_for(lambda: horse() != 0)
    os.kill(horse(), signal.SIGKILL)
    killed = time.monotonic()
    wait_for(ended(rollout_id))
    # Its worker saw it die and did not wait for the leases to run out. Three tries of some seconds each are left.
    assert time.monotonic() - killed < 30
    answers = real_fleet.answers()
    labels = {number: label for label, number in real_fleet.versions.items()}
    for instance, answer in zip(real_fleet.instances(), answers, strict=True):
        assert (instance.rollout_id, instance.status) == (None, InstanceStatus.UPGRADE_FAILED)
        assert labels[instance.version_id] == answer


def forge(connection: redis.Redis, name: str, data: object, **fields: bytes) -> None:
    """Put a job into Redis by hand."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    connection.hset(f"rq:job:{name}", mapping={"created_at": "2026-01-01T00:00:00.000000Z", "data": body, **fields})
    connection.rpush(f"rq:queue:{queue.NAME}", name)


class Pickled:
    """What pickle would run."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.victim),)


def test_forged_jobs_are_refused_and_reported_and_the_worker_lives_on(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet, tmp_path: Path
) -> None:
    victim = tmp_path / "forged"
    drains = [queue.DRAIN, None, [0], {}]
    callback = {"success_callback_name": b"os.abort", "failure_callback_name": b"os.abort"}
    with queue.connect(app.config["REDIS_URL"], patient=True) as connection:
        forged = Queue(queue.NAME, connection=connection, serializer=JSONSerializer)
        forged.enqueue_call("os.mkdir", args=[str(victim)])
        forged.enqueue_call(queue.DRAIN, args=["1; import os"])
        forged.enqueue_call("deployer.jobs.drain.Drain", args=[1])
        forge(connection, "pickled", pickle.dumps(Pickled(victim)))
        forge(connection, "pickled-and-packed", zlib.compress(pickle.dumps(Pickled(victim))))
        forge(connection, "a-method", [queue.DRAIN, pickle.dumps(Pickled(victim)).hex(), [0], {}])
        forge(connection, "keyword", [queue.DRAIN, None, [0], {"x": 1}])
        forge(connection, "true", [queue.DRAIN, None, [True], {}])
        forge(connection, "a-line", ["x\nERROR:root:forged line", None, [0], {}])
        forge(connection, "large", json.dumps([queue.DRAIN, None, [0] * 1_000_000, {}]).encode())
        forge(connection, "bomb", zlib.compress(json.dumps([queue.DRAIN, None, [0] * 1_000_000, {}]).encode(), 9))
        forge(connection, "deep", b"[" * 4000)
        forge(connection, "called-back", drains, **callback)  # type: ignore[arg-type]
        forge(connection, "no-time", drains, timeout=b"never")
        connection.set("rq:job:a-string", "no hash")
        for entry in (b"a-string", b"\xff\xfe", b"", b"../x", b"a:b", b"x" * 1_000_000):
            connection.rpush(f"rq:queue:{queue.NAME}", entry)
    process = worker()
    rollout_id = real_fleet.start("1.4.0")
    wait_for(ended(rollout_id))
    file = Path(app.config["SETTINGS"].home, "worker.log")
    wait_for(lambda: file.read_text().count("a job in Redis was refused") == 15)
    assert process.poll() is None
    assert not victim.exists()
    log = file.read_text()
    assert "\nERROR:root:forged line" not in log
    assert "Traceback" not in log
    db.session.rollback()
    told = db.session.execute(select(AuditEntry).where(AuditEntry.verb == "forge")).scalars().all()
    assert told
    assert {(entry.actor, entry.noun, entry.refused, entry.source) for entry in told} == {
        ("(Redis)", "job", True, "worker")
    }
    assert told[0].facts["call"].endswith("it names 'os.mkdir'")


def test_a_queue_that_is_none_holds_up_neither_worker_nor_rollout(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    process = worker()
    wait_for(lambda: bool(living()))
    with queue.connect(app.config["REDIS_URL"]) as connection:
        connection.set(f"rq:queue:{queue.NAME}", "no list")
    rollout_id = real_fleet.start("1.4.0")  # its bell cannot be rung
    wait_for(ended(rollout_id))
    assert process.poll() is None
    assert "in the place of the queue is none" in Path(app.config["SETTINGS"].home, "worker.log").read_text()


def test_a_heap_of_litter_in_the_queue_holds_up_no_rollout(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    with queue.connect(app.config["REDIS_URL"], patient=True) as connection:
        for _ in range(5):
            connection.rpush(f"rq:queue:{queue.NAME}", *[b"no id"] * 10_000)
    worker()
    rollout_id = real_fleet.start("1.4.0")
    wait_for(ended(rollout_id))
    refused = Path(app.config["SETTINGS"].home, "worker.log").read_text().count("a job in Redis was refused")
    assert 5 <= refused <= 6


def test_ringing_without_redis_says_so_and_does_not_wait(app: Flask) -> None:
    app.config["REDIS_URL"] = "redis://127.0.0.1:9"
    assert queue.ring(1) is False


def test_garbage_in_redis_does_not_end_the_worker(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    hashes: dict[str, dict[str, str | bytes]] = {
        "no-date": {"data": "garbage", "created_at": "x"},
        "no-json": {"data": b"\x80\x04.", "created_at": "2026-01-01T00:00:00.000000Z"},
        "no-data": {"created_at": "2026-01-01T00:00:00.000000Z"},
    }
    with queue.connect(app.config["REDIS_URL"]) as connection:
        for name, fields in hashes.items():
            connection.hset(f"rq:job:{name}", mapping=fields)
            connection.rpush(f"rq:queue:{queue.NAME}", name)
    process = worker()
    rollout_id = real_fleet.start("1.4.0")
    wait_for(ended(rollout_id))
    assert process.poll() is None
    process.terminate()
    assert process.wait(20) == 0


def test_a_worker_that_is_told_to_stop_finishes_its_hosts_and_begins_no_other(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    process = worker()
    rollout_id = real_fleet.start("1.4.0", strategy=Strategy(WaveSize(hosts=1)))
    wait_for(lambda: step_states(rollout_id)[0] is StepState.RUNNING)
    process.terminate()
    assert process.wait(30) == 0
    assert step_states(rollout_id) == [StepState.SUCCEEDED, StepState.QUEUED]
    assert living() == []
    worker()
    wait_for(ended(rollout_id))
    assert real_fleet.answers() == ["1.4.0", "1.4.0"]


def test_a_worker_says_that_it_lives_while_it_waits_and_while_it_works(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    assert not living()
    process = worker()
    wait_for(lambda: bool(living()))
    (known,) = workers.living()
    assert known.name.endswith(f":{process.pid}")
    # Its health check is waited for in vain for longer than a worker stays silent.
    recipe = ReleaseRecipe((sys.executable, "restart.py"), health=HealthCheck(timeout=2.0 * queue.TICK_SECONDS))
    catalog.change_service(real_fleet.service, NewService("orders", recipe), ADMIN)
    real_fleet.start("1.2.0")

    def seen_while_working() -> bool:
        seen = living()[0].seen
        running = db.session.execute(select(Step.id).where(Step.state == StepState.RUNNING)).first()
        return running is not None and seen > known.seen

    wait_for(seen_while_working)


def test_a_redis_that_is_lost_while_a_worker_works_costs_neither_the_work_nor_the_worker(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet, own_redis: OwnRedis
) -> None:
    app.config["REDIS_URL"] = own_redis.url
    process = worker(own_redis.url)
    rollout_id = real_fleet.start("1.4.0", strategy=Strategy(WaveSize(hosts=1)))
    wait_for(lambda: step_states(rollout_id)[0] is StepState.RUNNING)
    own_redis.kill()
    wait_for(ended(rollout_id))
    assert rollouts.rollout(rollout_id).state is RolloutState.SUCCEEDED
    waiting = real_fleet.start("1.0.0", Action.REVERT, source="1.4.0")  # nobody hears this bell
    own_redis.start_empty()
    wait_for(ended(waiting))
    assert real_fleet.answers() == ["1.0.0", "1.0.0"]
    assert process.poll() is None


def test_nobody_commands_a_worker_over_redis(
    app: Flask, worker: Callable[..., subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    process = worker()
    rollout_id = real_fleet.start("1.4.0")
    wait_for(lambda: StepState.RUNNING in step_states(rollout_id))
    with queue.connect(app.config["REDIS_URL"]) as connection:
        for found in connection.smembers("rq:workers"):
            name = found.decode().removeprefix("rq:worker:")
            for command in ("shutdown", "kill-horse"):
                assert connection.publish(f"rq:pubsub:{name}", json.dumps({"command": command})) == 0
    wait_for(ended(rollout_id))
    assert rollouts.rollout(rollout_id).state is RolloutState.SUCCEEDED
    assert process.poll() is None


def living() -> list[workers.LivingWorker]:
    db.session.rollback()
    return workers.living()


def step_states(rollout_id: int) -> list[StepState]:
    db.session.rollback()
    return list(db.session.execute(select(Step.state).where(Step.rollout_id == rollout_id).order_by(Step.id)).scalars())
