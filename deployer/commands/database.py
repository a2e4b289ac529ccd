"""``deployer db``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from deployer import migrating, schema
from deployer.commands.inside import FAILED, REFUSED, application, stop, unreachable


@click.group()
def db() -> None:
    """The database's schema."""


@contextmanager
def _migrating() -> Iterator[None]:
    with application():
        try:
            yield
            click.echo(f"The database is at {schema.current() or 'no revision'}; the newest is {schema.newest()}.")
        except CommandError as problem:
            stop(f"revision: {problem}. Run deployer db current to see where the database stands.", REFUSED)
        except SQLAlchemyError as problem:
            stop(unreachable(problem), FAILED)


def _revision(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Without what Alembic stumbles over instead of refusing it: nothing at all, and names of branches."""
    if not value.strip() or "@" in value:
        stop(f"revision: {value!r} names no revision. Write head, base, or the name of one.", REFUSED)
    return value


@db.command()
@click.argument("revision", default="head", callback=_revision)
def upgrade(revision: str) -> None:
    """Bring the database up to REVISION (default: the newest). It is made if it is not there."""
    with _migrating():
        migrating.upgrade(revision)


@db.command()
@click.argument("revision", default="-1", callback=_revision)
def downgrade(revision: str) -> None:
    """Bring the database down to REVISION (default: one step). What the newer schema kept is lost."""
    with _migrating():
        migrating.downgrade(revision)


@db.command()
def current() -> None:
    """Say at which revision the database is."""
    with _migrating():
        pass
