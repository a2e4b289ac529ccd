"""Change the database's schema. Apart from `schema`, because only who migrates should wait until Alembic is loaded: it
takes a fifth of the time in which a command starts."""

from __future__ import annotations

from typing import Any

from alembic import command
from flask import current_app
from flask_migrate import Migrate

from deployer.extensions import db
from deployer.resources import folder


def upgrade(revision: str = "head") -> None:
    """Bring the database up to ``revision``. In the application's context, like everything here."""
    command.upgrade(config(), revision)


def downgrade(revision: str = "-1") -> None:
    """Bring the database down to ``revision``."""
    command.downgrade(config(), revision)


def config() -> Any:
    """What Alembic needs to know."""
    return Migrate(current_app, db, directory=str(folder("migrations")), render_as_batch=True).get_config()
