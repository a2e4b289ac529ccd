"""The doorbell, and the only file that knows RQ. The database is the queue (DESIGN §3.2).

What is in Redis is never trusted: a job may name only the functions below, with whole numbers as arguments, and nothing
else that RQ would import or call. A stolen Redis can ring; it cannot make a worker do more than look at its database.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import redis
from flask import current_app
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

log = logging.getLogger(__name__)

NAME = "deployer"
DRAIN = "deployer.jobs.drain.drain"
ALLOWED = frozenset({DRAIN})
TICK_SECONDS = 5


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


@dataclass(frozen=True)
class Hooks:
    """What a worker does beside its jobs."""

    on_tick: Callable[[], None]  # every few seconds, in the worker itself
    on_fork: Callable[[], None]  # first thing in each work-horse
    on_stop: Callable[[], None]  # in a work-horse whose worker was told to stop; called from a signal handler
    on_lost: Callable[[int], None]  # in the worker, when the work-horse of this process id did not end by itself


class SafeWorker(Worker):
    """A worker that takes only :class:`SafeJob`, and that no state of Redis can end or keep from seeing an end.

    A job is only a bell: it is taken off Redis before it is answered, and nothing of it is kept there. So there are no
    registries, no retries and no commands over pub/sub; whoever has stolen Redis can ring, and that is all.
    """

    max_connection_wait_time = 2.0  # seconds between two tries to reach a Redis that is away

    def __init__(self, connection: redis.Redis, hooks: Hooks) -> None:
        self.hooks = hooks
        super().__init__(
            [_queue(connection)],
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
        """RQ's hook between jobs."""
        self.last_cleaned_at = _utcnow()
        self.hooks.on_tick()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Take the bell off Redis, answer it in a forked work-horse, and see how that ends."""
        with contextlib.suppress(redis.RedisError):
            self.connection.lrem(queue.intermediate_queue_key, 1, job.id)
            self.connection.delete(job.key)
        self._state = WorkerStatus.BUSY
        self.fork_work_horse(job, queue)
        horse, status = self.horse_pid, self._wait_for_end()
        self._horse_pid = 0
        self._state = WorkerStatus.IDLE
        if status != 0:
            log.error("the work-horse %s ended unexpectedly: %s", horse, os.waitstatus_to_exitcode(status))
            self.hooks.on_lost(horse)

    def _wait_for_end(self) -> int:
        descriptor = os.pidfd_open(self.horse_pid)
        try:
            while not select.select([descriptor], [], [], TICK_SECONDS)[0]:
                self.hooks.on_tick()
        finally:
            os.close(descriptor)
        return os.waitpid(self.horse_pid, 0)[1]

    def main_work_horse(self, job: Job, queue: Queue) -> NoReturn:
        """The forked work-horse. An exception ends it with another status than 0, which the worker sees."""
        self.hooks.on_fork()
        self.setup_work_horse_signals()
        self._is_horse = True
        try:
            random.seed()
            job.perform()
        except BaseException:
            log.exception("the job for %s crashed", job.args)
            os._exit(1)
        os._exit(0)

    def setup_work_horse_signals(self) -> None:
        """A work-horse ends by itself, or by KILL."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self.hooks.on_stop())

    def handle_warm_shutdown_request(self) -> None:
        """RQ's hook for the first signal: the work-horse takes no further step."""
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGTERM)

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """RQ's record of this worker in Redis may be missing: nobody here reads it."""
        with contextlib.suppress(redis.RedisError):
            super().set_state(state, pipeline)

    def set_shutdown_requested_date(self) -> None:
        """Likewise."""
        with contextlib.suppress(redis.RedisError):
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]

    def register_death(self) -> None:
        """Likewise."""
        with contextlib.suppress(redis.RedisError):
            super().register_death()  # type: ignore[no-untyped-call]

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Likewise."""
        with contextlib.suppress(redis.RedisError):
            super().heartbeat(timeout, pipeline)

    def check_for_suspension(self, burst: bool) -> None:
        """Nobody suspends a worker over Redis."""

    def subscribe(self) -> None:
        """Nobody commands a worker over Redis."""


def _utcnow() -> Any:
    from rq.utils import now  # noqa: PLC0415 (RQ's clock, for RQ's field)

    return now()


def connect(url: str, *, patient: bool = False) -> redis.Redis:
    """A client that gives up quickly: nobody who submitted a rollout waits for Redis. A worker is ``patient``: it waits
    for jobs on its connection."""
    if patient:
        return redis.Redis.from_url(url)
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=None)


def ring(rollout_id: int = 0) -> bool:
    """Tell the workers that there is something to do. False when Redis cannot be reached: a worker's tick will ring."""
    try:
        with connect(current_app.config["REDIS_URL"]) as connection:
            _enqueue(connection, rollout_id)
    except (redis.RedisError, OSError) as problem:
        log.warning("Redis could not be reached (%s); the work waits in the database", problem)
        return False
    return True


def ring_if_silent() -> None:
    """Ring unless a bell is waiting already: ringing again and again would only pile up."""
    with contextlib.suppress(redis.RedisError, OSError), connect(current_app.config["REDIS_URL"]) as connection:
        if _queue(connection).is_empty():
            _enqueue(connection, 0)


def _queue(connection: redis.Redis) -> Queue:
    return Queue(NAME, connection=connection, job_class=SafeJob, serializer=JSONSerializer)


def _enqueue(connection: redis.Redis, rollout_id: int) -> None:
    # No time limit: every remote action has its own, and RQ's would interrupt a settle.
    _queue(connection).enqueue_call(DRAIN, args=[rollout_id], timeout=-1, result_ttl=0, failure_ttl=3600)
