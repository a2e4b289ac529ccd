"""The worker process: a real Redis, a real RQ worker, forged jobs, lost doorbells and a killed work-horse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import select, update

from deployer import queue
from deployer.domain.status import InstanceStatus, RolloutState, StepState
from deployer.extensions import db
from deployer.models import Step
from deployer.models.columns import Now
from deployer.operations.transaction import transaction
from deployer.queries import rollouts
from tests.jobs.conftest import Fleet


def wait_for(condition: Callable[[], bool], seconds: float = 45) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def worker(app: Flask, redis_url: str) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
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

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "deployer", "worker"], env=environment, stdout=output, stderr=output
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
    app: Flask, worker: Callable[[], subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    worker()
    rollout_id = real_fleet.start("1.4.0")
    wait_for(ended(rollout_id))
    assert rollouts.rollout(rollout_id).state is RolloutState.SUCCEEDED
    assert real_fleet.answers() == ["1.4.0", "1.4.0"]


def test_work_accepted_while_redis_was_away_is_found_by_the_next_worker(
    app: Flask, worker: Callable[[], subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    reachable = app.config["REDIS_URL"]
    app.config["REDIS_URL"] = "unix:///nowhere/redis.sock"
    rollout_id = real_fleet.start("1.4.0")
    app.config["REDIS_URL"] = reachable
    assert queue.is_silent()
    worker()
    wait_for(ended(rollout_id))
    assert rollouts.rollout(rollout_id).state is RolloutState.SUCCEEDED


def test_a_killed_work_horse_leaves_no_lock_and_the_host_is_asked(
    app: Flask, worker: Callable[[], subprocess.Popen[bytes]], real_fleet: Fleet
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
    # Nobody renews the leases any more; rather than wait for them we let them run out.
    with transaction() as session:
        session.execute(update(Step).where(Step.rollout_id == rollout_id).values(lease_until=Now(-1)))
    wait_for(ended(rollout_id))
    answers = real_fleet.answers()
    labels = {number: label for label, number in real_fleet.versions.items()}
    for instance, answer in zip(real_fleet.instances(), answers, strict=True):
        assert (instance.rollout_id, instance.status) == (None, InstanceStatus.UPGRADE_FAILED)
        assert labels[instance.version_id] == answer


def test_a_forged_job_is_refused_and_the_worker_lives_on(
    app: Flask, worker: Callable[[], subprocess.Popen[bytes]], real_fleet: Fleet, tmp_path: Path
) -> None:
    victim = tmp_path / "forged"
    with queue.connect(app.config["REDIS_URL"]) as connection:
        forged = Queue(queue.NAME, connection=connection, serializer=JSONSerializer)
        forged.enqueue_call("os.mkdir", args=[str(victim)])
        forged.enqueue_call(queue.DRAIN, args=["1; import os"])
        forged.enqueue_call("deployer.jobs.drain.Drain", args=[1])
    process = worker()
    rollout_id = real_fleet.start("1.4.0")
    wait_for(ended(rollout_id))
    assert process.poll() is None
    assert not victim.exists()
    log = Path(app.config["SETTINGS"].home, "worker.log").read_text()
    assert "refused" in log


def test_ringing_without_redis_says_so_and_does_not_wait(app: Flask) -> None:
    app.config["REDIS_URL"] = "redis://127.0.0.1:9"
    assert queue.ring(1) is False


def test_garbage_in_redis_does_not_end_the_worker(
    app: Flask, worker: Callable[[], subprocess.Popen[bytes]], real_fleet: Fleet
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
