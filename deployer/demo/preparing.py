"""What has to be done before the console starts, in a child process that can be ended at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployer import lifetime, migrating
from deployer.app import create_app
from deployer.config import Settings
from deployer.demo import report
from deployer.demo.home import DemoError
from deployer.demo.machines import accepted_key_file, keep
from deployer.demo.reaching import machines
from deployer.demo.seed import ACTOR, SeedError, hosts_directory, seed
from deployer.demo.services import Spot, recorded, start
from deployer.extensions import db


@contextmanager
def preparation(settings: Settings, seeded: bool) -> Iterator[Callable[[], bool]]:
    """Prepare for the time of the block, which may leave early; the value tells whether it is done.

    That raises :class:`DemoError` when it has failed.
    """
    # Forked and not started anew: everything is loaded already, and there is no thread yet that a fork could hurt.
    child = multiprocessing.get_context("fork").Process(target=_prepare_apart, args=(settings, seeded, os.getpid()))
    child.start()

    def done() -> bool:
        if child.exitcode:
            raise DemoError(f"The demo could not be set up in {settings.home}.")
        return child.exitcode == 0

    try:
        yield done
    finally:
        child.kill()
        child.join()
        child.close()


def _prepare_apart(settings: Settings, seeded: bool, parent: int) -> None:
    os.setsid()  # a Ctrl-C in the terminal is the supervisor's
    lifetime.die_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    try:
        if seeded:
            _start_again(settings)
        else:
            with report.step("Installing three services on six demo hosts"):
                seed(settings)
    except SeedError as problem:
        report.line(str(problem))
        raise SystemExit(1) from None


def _start_again(settings: Settings) -> None:
    if not accepted_key_file(settings.home).exists():
        report.line("The hosts of this demo are local ones, as in the release that made it; a new home has SSH hosts.")
    with report.step("Preparing the database"):
        spots, problems = _migrated(settings)
    with report.step("Starting the demo's services"):
        problems += [f"did not start: {problem}" for problem in start(spots)]
    for problem in problems:
        report.line(f"  {problem}")


def _migrated(settings: Settings) -> tuple[list[Spot], list[str]]:
    """Bring the database up to date, and note which SSH servers have to run according to it. The services that have to,
    and what went wrong."""
    directory = hosts_directory(settings.home)
    with create_app(settings).app_context():
        migrating.upgrade()
        spots = recorded(directory)
        servers, problems = machines(settings.home, directory, ACTOR)
        keep(settings.home, servers)
        db.session.remove()
        db.engine.dispose()
    return spots, problems
