"""Alembic's environment: the application's engine and tables."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app

from deployer.models.columns import IntCode, Moment, Word


def _plain(kind: str, item: Any, _context: Any) -> str | bool:
    """Migrations speak of database types only, so that they stay true when our classes change."""
    if kind == "type":
        if isinstance(item, Moment):
            return "sa.DateTime(timezone=True)"
        if isinstance(item, IntCode):
            return "sa.Integer()"
        if isinstance(item, Word):
            return "sa.String(length=20)"
    return False


def run() -> None:
    """Apply migrations to the application's database."""
    migrate = current_app.extensions["migrate"]
    with migrate.db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=migrate.db.metadata,
            render_item=_plain,
            compare_server_default=True,
            **migrate.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


if context.is_offline_mode():
    raise SystemExit("Offline migrations are not supported: migrate against the database itself.")
run()
