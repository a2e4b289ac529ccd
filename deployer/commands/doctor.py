"""``deployer doctor``: what is wrong with the set-up, and how to mend it."""

from __future__ import annotations

import os
from collections.abc import Callable

import click
from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from deployer import embedded, schema
from deployer.commands import sealed
from deployer.commands.inside import BEHIND, FAILED, application, stop, unreachable
from deployer.config import Settings
from deployer.extensions import db
from deployer.models import User
from deployer.queries import workers
from deployer.unsafe import dangers

Check = Callable[[Settings], str]


@click.command()
def doctor() -> None:
    """Look at the set-up; say what is wrong and how to mend it. The exit status is 1 when something is."""
    with application():
        settings: Settings = current_app.config["SETTINGS"]
        sick = False
        for name, check in CHECKS.items():
            problem = check(settings)
            sick = sick or bool(problem)
            click.echo(f"{name}: {problem or 'ok'}")
        if sick:
            stop("Something needs mending.", FAILED)


def _home(settings: Settings) -> str:
    home = settings.home
    if not home.is_dir() or not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        return f"{home} cannot be written. Make it, or set DEPLOYER_HOME to another directory."
    if home.stat().st_mode & 0o007:
        return f"{home} is open to everybody on this machine. Run: chmod 700 '{home}'"
    return ""


def _database(_settings: Settings) -> str:
    try:
        return "" if schema.current() == schema.newest() else BEHIND
    except SQLAlchemyError as problem:
        return unreachable(problem)


def _redis(settings: Settings) -> str:
    why = embedded.silence(settings.redis_url)
    if not why:
        return ""
    if not settings.own_redis:
        mend = "Start it, or check REDIS_URL; without REDIS_URL the worker starts one of its own."
        return f"It does not answer: {why}. {mend}"
    try:
        embedded.find_server()
    except embedded.NoRedis as problem:
        return str(problem)
    return "It is not running. The worker starts it: deployer worker"


def _networks(settings: Settings) -> str:
    wide = [str(network) for network in settings.permitted.networks if network.prefixlen == 0]
    if not wide:
        return ""
    return (
        f"DEPLOYER_ALLOWED_NETWORKS has {' and '.join(wide)}: whoever records a build has workers ask any address. "
        "Name the networks in which artifacts are."
    )


def _people(_settings: Settings) -> str:
    try:
        found = db.session.execute(select(User.id).where(User.active).limit(1)).scalar()
    except SQLAlchemyError:
        return "It is not known who can sign in, because the database cannot be read."
    return "" if found is not None else "Nobody can sign in. Run: deployer user create NAME --role administrator"


def _workers(_settings: Settings) -> str:
    try:
        return (
            "" if workers.is_any_alive() else "None is alive, so nothing that is accepted begins. Run: deployer worker"
        )
    except SQLAlchemyError:
        return "It is not known whether one is alive, because the database cannot be read."


CHECKS: dict[str, Check] = {
    "Settings": lambda settings: " ".join(dangers(settings, os.environ)),
    "Networks": _networks,
    "Home": _home,
    "Database": _database,
    "Redis": _redis,
    "Workers": _workers,
    "People": _people,
    "Credentials": sealed.problem,
}
