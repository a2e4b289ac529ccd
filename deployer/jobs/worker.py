"""A worker process: the RQ worker inside the application."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Flask
from sqlalchemy.exc import DBAPIError

from deployer import lifetime, queue, sealing
from deployer.extensions import db
from deployer.jobs import (
    drain,
    identity,
    sweeper,
)  # (drain is loaded once here, so that no forked work-horse pays for it)
from deployer.operations import attempts, credentials, steps, workers

log = logging.getLogger(__name__)

FOREIGN_SEALS = (
    "The credentials are sealed for the key of another worker, and this one cannot open them. Give all workers the "
    "same keys (CREDENTIAL_KEYS, or the file credential.key in their homes), or run deployer credential rotate here."
)


def run(app: Flask, tend: Callable[[], None]) -> bool:
    """Work until told to stop (SIGTERM, SIGINT): what runs is finished first, nothing new is begun. ``tend`` is called
    every few seconds. False when it ended by itself. Raises :class:`~deployer.sealing.BadKeys`."""
    app.config["SOURCE"] = "worker"
    name = identity.of_process()
    slots = app.config["SETTINGS"].slots
    to_publish = [sealing.held(app.config["SETTINGS"].home).publics]

    def ask_database(operation: Callable[..., object], *args: object) -> None:
        with app.app_context():
            try:
                operation(*args)
            except DBAPIError as problem:
                log.warning("The database could not be reached; trying again: %s", problem.orig)
            db.session.remove()
            # A work-horse is forked from here; a connection to the database must not be shared between two processes.
            db.engine.dispose()

    def publish() -> None:
        if not credentials.publish(to_publish[0]):
            log.error(FOREIGN_SEALS)
        to_publish.clear()

    def on_tick() -> None:
        tend()
        if to_publish:  # again and again while the database is away
            ask_database(publish)
        ask_database(sweeper.tick, name, slots)

    hooks = queue.Hooks(
        on_tick=on_tick,
        on_fork=lifetime.die_with_parent,
        on_stop=drain.stop,
        # It is dead for certain, so nobody has to wait for its leases to run out.
        on_lost=lambda pid: ask_database(steps.expire_leases, identity.of_process(pid)),
        on_refused=lambda what: ask_database(attempts.record_forgery, what),
    )
    connection = queue.connect(app.config["REDIS_URL"], patient=True)
    with app.app_context():
        worker = queue.SafeWorker(connection, hooks)
        worker.work(logging_level="WARNING")
    ask_database(workers.leave, name)
    return worker.was_told_to_stop
