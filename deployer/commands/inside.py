"""Run a command inside the application, and turn what it refuses into a message and an exit status."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import click
from flask import Flask
from flask_babel import force_locale
from sqlalchemy.exc import SQLAlchemyError

from deployer import schema
from deployer.app import create_app
from deployer.config import BadSettings, Settings, read_settings
from deployer.domain.access import Actor, Role
from deployer.domain.errors import Conflict, Refused
from deployer.unsafe import refuse_unsafe
from deployer.web.forms.base import RefusedInput

P = ParamSpec("P")
R = TypeVar("R")

FAILED = 1  # the world is not in the state that the command needs
REFUSED = 2  # a parameter cannot be right; the status that click has for such a thing

BEHIND = "The database is not up to date. Run: deployer db upgrade"


def stop(message: str, status: int) -> NoReturn:
    """End the program with a message on stderr."""
    click.echo(message, err=True)
    raise SystemExit(status)


def settings() -> Settings:
    """The settings of the environment; ends the program when they are bad."""
    try:
        return read_settings()
    except BadSettings as problem:
        stop(str(problem), REFUSED)
    except OSError as problem:
        stop(f"{problem.filename} cannot be used: {problem.strerror}. Set DEPLOYER_HOME to another directory.", REFUSED)


def safe_settings() -> Settings:
    """The settings, to serve or to work with; ends the program also when they are unsafe."""
    found = settings()
    try:
        refuse_unsafe(found, os.environ)
    except BadSettings as problem:
        stop(f"{problem}\nNothing was started; `deployer doctor` looks at everything.", REFUSED)
    return found


def actor() -> Actor:
    """Whoever may run the program on this machine may do everything; the record of changes has this name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        name = str(os.getuid())
    return Actor(f"cli:{name}"[:64], Role.ADMINISTRATOR)


@contextmanager
def application() -> Iterator[Flask]:
    """The application around a block, speaking English."""
    try:
        app = create_app(settings())
        context = app.app_context()
    except SQLAlchemyError as problem:
        stop(unreachable(problem), FAILED)
    app.config["SOURCE"] = "command line"
    with context, force_locale("en"):
        yield app


def inside(command: Callable[P, R]) -> Callable[P, R]:
    """``command`` inside the application with a database that is up to date. A refusal becomes a message."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with application():
            try:
                if schema.current() != schema.newest():
                    stop(BEHIND, FAILED)
                return command(*args, **kwargs)
            except RefusedInput as problem:
                stop("\n".join(_line(field, refused) for field, refused in problem.refusals.items()), REFUSED)
            except Refused as refused:
                stop(_line(refused.field, refused), FAILED if isinstance(refused, Conflict) else REFUSED)
            except SQLAlchemyError as problem:
                stop(unreachable(problem), FAILED)

    return wrapped


def unreachable(problem: SQLAlchemyError) -> str:
    """What to say when the database does not do its work. Its URL is not repeated: it may have a password in it."""
    cause = str(getattr(problem, "orig", None) or problem).strip().splitlines()[0]
    return f"The database cannot be used: {cause}. Check DATABASE_URL and DEPLOYER_HOME."


def _line(field: str, refused: Refused) -> str:
    return f"{field}: {refused}" if field else str(refused)
