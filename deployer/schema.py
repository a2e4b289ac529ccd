"""Which revision of the schema the database has, and which one the program needs. In the application's context."""

from __future__ import annotations

from sqlalchemy import inspect, text

from deployer.extensions import db
from deployer.resources import folder


def current() -> str | None:
    """The revision that the database has; None when it has none."""
    with db.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def newest() -> str:
    """The revision that this program needs: by the names of the migrations, which begin with their revisions."""
    return max(file.name for file in folder("migrations").glob("versions/[0-9]*.py")).partition("_")[0]
