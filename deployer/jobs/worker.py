"""A worker process: the RQ worker inside the application."""

from __future__ import annotations

from flask import Flask

from deployer import lifetime, queue
from deployer.extensions import db
from deployer.jobs import drain, sweeper  # noqa: F401 (loaded once here, so that no forked work-horse pays for it)


def run(app: Flask) -> None:
    """Work until told to stop (SIGTERM, SIGINT): a job that runs is finished first."""

    def on_tick() -> None:
        with app.app_context():
            sweeper.tick()
            db.session.remove()
            # A work-horse is forked from here; a connection to the database must not be shared between two processes.
            db.engine.dispose()

    connection = queue.connect(app.config["REDIS_URL"], patient=True)
    with app.app_context():
        worker = queue.SafeWorker(connection, on_tick, lifetime.die_with_parent)
        worker.work(logging_level="WARNING")
