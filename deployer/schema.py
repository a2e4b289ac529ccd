"""The database's schema and its migrations."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app

from deployer.extensions import db


def upgrade(revision: str = "head") -> None:
    """Bring the database up to ``revision``. In the application's context, like everything here."""
    command.upgrade(_config(), revision)


def downgrade(revision: str = "-1") -> None:
    """Bring the database down to ``revision``."""
    command.downgrade(_config(), revision)


def current() -> str | None:
    """The revision that the database has; None when it has none."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The revision that this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Any:
    return current_app.extensions["migrate"].migrate.get_config()
