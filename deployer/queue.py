"""The doorbell, and the only file that knows RQ. The database is the queue (DESIGN §3.2).

What is in Redis is never trusted: a job may name only the functions below, with whole numbers as arguments, and nothing
else that RQ would import or call. A stolen Redis can ring; it cannot make a worker do more than look at its database.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import redis
from flask import current_app
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

log = logging.getLogger(__name__)

NAME = "deployer"
DRAIN = "deployer.jobs.drain.drain"
ALLOWED = frozenset({DRAIN})
TICK_SECONDS = 5
CLEAN_SECONDS = 600


class ForgedJob(Exception):
    """Something else than us put this job into Redis."""


class SafeJob(Job):
    """A job that can only be one of ours."""

    def _deserialize_data(self) -> None:
        super()._deserialize_data()  # type: ignore[no-untyped-call]
        arguments: Any = self._args or ()
        plain = all(type(argument) is int for argument in arguments)
        if self._func_name not in ALLOWED or self._instance is not None or self._kwargs or not plain:
            raise ForgedJob(f"job {self.id} names something this worker does not do; it was refused")

    def restore(self, raw_data: Any) -> Any:
        """Read the job's hash; names of callbacks and webhooks in it are dropped, we never set any."""
        try:
            result = super().restore(raw_data)
            self._deserialize_data()
        except Exception as problem:
            # To RQ this job is not there, and it goes on with the next; anything else would end the worker.
            log.error("a job in Redis was refused: %s", problem)
            raise NoSuchJobError(str(problem)) from problem
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []
        return result


class SafeWorker(Worker):
    """A worker that takes only :class:`SafeJob`, calls ``on_tick`` in its parent every few seconds between jobs and
    ``on_fork`` in each work-horse."""

    def __init__(self, connection: redis.Redis, on_tick: Callable[[], None], on_fork: Callable[[], None]) -> None:
        self.on_tick = on_tick
        self.on_fork = on_fork
        self._cleaned = time.monotonic()
        super().__init__(
            [Queue(NAME, connection=connection, job_class=SafeJob, serializer=JSONSerializer)],
            connection=connection,
            job_class=SafeJob,
            serializer=JSONSerializer,
            worker_ttl=TICK_SECONDS + 15,  # RQ waits for a job for this less 15 seconds, then looks around
            maintenance_interval=TICK_SECONDS - 1,
        )

    @property
    def was_told_to_stop(self) -> bool:
        """Whether a signal asked for the end; RQ also ends, without a word to its caller, on errors of its own."""
        return self._shutdown_requested_date is not None

    def run_maintenance_tasks(self) -> None:
        """RQ's hook between jobs. Its own cleaning is wanted only now and then."""
        if time.monotonic() - self._cleaned > CLEAN_SECONDS or self.last_cleaned_at is None:
            self._cleaned = time.monotonic()
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        self.last_cleaned_at = _utcnow()
        self.on_tick()

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """The first thing in the forked work-horse."""
        self.on_fork()
        super().main_work_horse(job, queue)


def _utcnow() -> Any:
    from rq.utils import now  # noqa: PLC0415 (RQ's clock, for RQ's field)

    return now()


def connect(url: str, *, patient: bool = False) -> redis.Redis:
    """A client that gives up quickly: nobody who submitted a rollout waits for Redis. A worker is ``patient``: it waits
    for jobs on its connection."""
    if patient:
        return redis.Redis.from_url(url)
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=None)


def ring(rollout_id: int) -> bool:
    """Tell the workers that there are steps to drain. False when Redis cannot be reached: a worker's tick will ring."""
    try:
        with connect(current_app.config["REDIS_URL"]) as connection:
            queue = Queue(NAME, connection=connection, job_class=SafeJob, serializer=JSONSerializer)
            # No time limit: every remote action has its own, and RQ's would interrupt a settle.
            queue.enqueue_call(DRAIN, args=[rollout_id], timeout=-1, result_ttl=0, failure_ttl=3600)
    except (redis.RedisError, OSError) as problem:
        log.warning("Redis could not be reached (%s); the work waits in the database", problem)
        return False
    return True


def is_silent() -> bool:
    """Whether nothing is waiting in Redis; raises redis.RedisError when it cannot be asked."""
    with connect(current_app.config["REDIS_URL"]) as connection:
        return bool(Queue(NAME, connection=connection, job_class=SafeJob, serializer=JSONSerializer).is_empty())
