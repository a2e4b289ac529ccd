"""The doorbell, and the only file that knows RQ. The database is the queue (DESIGN §3.2).

What is in Redis is never trusted: a job may name only the functions below, with whole numbers as arguments, and nothing
else that RQ would import or call. A stolen Redis can ring; it cannot make a worker do more than look at its database.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, cast

import redis
from flask import current_app
from rq import Queue, Worker
from rq.exceptions import DequeueTimeout, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

log = logging.getLogger(__name__)

NAME = "deployer"
DRAIN = "deployer.jobs.drain.drain"
ALLOWED = frozenset({DRAIN})
TICK_SECONDS = 5
JOB_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
FIELDS = ("data", "created_at", "origin", "timeout")  # that are read of a job's hash
MAX_FIELD = 4096  # bytes; ours have less than 200
LITTER = 10_000  # entries that are looked through at once
MAX_SHOWN = 80  # characters of what a forged job says


class ForgedJob(Exception):
    """Something else than us put this job into Redis."""


class SafeJob(Job):
    """A job that can only be one of ours. What else is found in its place is not even fetched when it is large."""

    # Hears of every job that was refused. Of the class, because RQ makes the jobs.
    on_refused: ClassVar[Callable[[str], None]] = lambda _what: None

    def _deserialize_data(self) -> None:
        super()._deserialize_data()  # type: ignore[no-untyped-call]
        arguments: Any = self._args
        if self._func_name not in ALLOWED or self._instance is not None or self._kwargs:
            raise ForgedJob(f"it names {ascii(self._func_name)[:MAX_SHOWN]}")
        if not isinstance(arguments, list) or [type(argument) for argument in arguments] != [int]:
            raise ForgedJob("its arguments are none of ours")

    def refresh(self) -> None:
        """Read the job's hash. Raises NoSuchJobError when it is gone, DequeueTimeout when it is none of ours."""
        try:
            found = self._fields()
            if found:
                self.restore(found)
        except redis.ConnectionError:
            raise
        except Exception as problem:
            refuse(f"job {self.id}: {str(problem) or 'it cannot be read'}")
            with contextlib.suppress(redis.ResponseError):
                self.connection.delete(self.key)
            # The worker looks around and goes on with the next; anything else would end it.
            raise DequeueTimeout(0, self.key) from problem
        if not found:
            raise NoSuchJobError(f"no such job: {self.key}")

    def _fields(self) -> dict[bytes, bytes]:
        """What a bell consists of, and nothing else: no callbacks, no webhooks, no dependencies."""
        with self.connection.pipeline() as pipeline:
            for name in FIELDS:
                pipeline.hstrlen(self.key, name)
            if max(pipeline.execute()) > MAX_FIELD:
                raise ForgedJob(f"it is larger than {MAX_FIELD} bytes")
        values = self.connection.hmget(self.key, FIELDS)
        return {
            name.encode(): cast(bytes, value) for name, value in zip(FIELDS, values, strict=True) if value is not None
        }

    def restore(self, raw_data: Any) -> Any:
        """RQ's reading of the hash, and whether it is one of ours."""
        result = super().restore(raw_data)
        self._deserialize_data()
        return result


class SafeQueue(Queue):
    """A queue that no entry and no other thing under its name can make a worker stumble over."""

    @classmethod
    def lpop(cls, queue_keys: Any, timeout: int | None, connection: Any = None) -> Any:
        """Take the next entry off. Raises DequeueTimeout when there is none, or one that cannot be a job's id."""
        try:
            found = super().lpop(queue_keys, timeout, connection)
            if found is None or JOB_ID.fullmatch(found[1]):
                return found
            _drop_litter(connection, queue_keys[0])
        except redis.ResponseError:
            # Under the queue's name is something else. Bells are lost with it, which sweepers ring again.
            refuse("what is in the place of the queue is none")
            connection.delete(*queue_keys)
        raise DequeueTimeout(timeout, queue_keys)

    @classmethod
    def lmove(cls, connection: Any, queue_key: str, timeout: int | None) -> Any:
        """The same: a bell that is lost is rung again, so nothing of it is kept while it is answered."""
        return cls.lpop([queue_key], timeout, connection)


def _drop_litter(connection: Any, key: str) -> None:
    """Of the next entries, leave only what can be a job's id: one by one, a heap of others would hold up every bell."""
    refuse("entries of the queue cannot be ids of jobs")
    kept = [entry for entry in connection.lpop(key, LITTER) or [] if JOB_ID.fullmatch(entry)]
    if kept:
        connection.lpush(key, *reversed(kept))


def refuse(what: str) -> None:
    """Somebody put something into Redis that is none of ours."""
    log.error("a job in Redis was refused: %s", what)
    SafeJob.on_refused(what)


@dataclass(frozen=True)
class Hooks:
    """What a worker does beside its jobs."""

    on_tick: Callable[[], None]  # every few seconds, in the worker itself
    on_fork: Callable[[], None]  # first thing in each work-horse
    on_stop: Callable[[], None]  # in a work-horse whose worker was told to stop; called from a signal handler
    on_lost: Callable[[int], None]  # in the worker, when the work-horse of this process id did not end by itself
    on_refused: Callable[[str], None]  # in the worker, when what it found in Redis was none of ours


class SafeWorker(Worker):
    """A worker that takes only :class:`SafeJob`, and that no state of Redis can end or keep from seeing an end.

    A job is only a bell: it is taken off Redis before it is answered, and nothing of it is kept there. So there are no
    registries, no retries and no commands over pub/sub; whoever has stolen Redis can ring, and that is all.
    """

    max_connection_wait_time = 2.0  # seconds between two tries to reach a Redis that is away

    def __init__(self, connection: redis.Redis, hooks: Hooks) -> None:
        self.hooks = hooks
        SafeJob.on_refused = hooks.on_refused
        super().__init__(
            [_queue(connection)],
            connection=connection,
            job_class=SafeJob,
            queue_class=SafeQueue,
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


def _queue(connection: redis.Redis) -> SafeQueue:
    return SafeQueue(NAME, connection=connection, job_class=SafeJob, serializer=JSONSerializer)


def _enqueue(connection: redis.Redis, rollout_id: int) -> None:
    # No time limit: every remote action has its own, and RQ's would interrupt a settle.
    _queue(connection).enqueue_call(DRAIN, args=[rollout_id], timeout=-1, result_ttl=0, failure_ttl=3600)
