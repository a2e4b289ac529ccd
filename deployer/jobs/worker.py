"""A worker process: the RQ worker inside the application."""

from __future__ import annotations

import logging

from flask import Flask
from sqlalchemy.exc import DBAPIError

from deployer import lifetime, queue
from deployer.extensions import db
from deployer.jobs import drain, sweeper  # noqa: F401 (loaded once here, so that no forked work-horse pays for it)

log = logging.getLogger(__name__)


def run(app: Flask) -> bool:
    """Work until told to stop (SIGTERM, SIGINT): a job that runs is finished first. False when it ended by itself."""

    def on_tick() -> None:
        with app.app_context():
            try:
                sweeper.tick()
            except DBAPIError as problem:
                log.warning("The database could not be asked for work; trying again: %s", problem.orig)
            db.session.remove()
            # A work-horse is forked from here; a connection to the database must not be shared between two processes.
            db.engine.dispose()

    connection = queue.connect(app.config["REDIS_URL"], patient=True)
    with app.app_context():
        worker = queue.SafeWorker(connection, on_tick, lifetime.die_with_parent)
        worker.work(logging_level="WARNING")
    return worker.was_told_to_stop
