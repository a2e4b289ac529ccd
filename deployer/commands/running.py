"""``deployer demo``, ``deployer web`` and ``deployer worker``: what runs until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click

from deployer import embedded, sealing, webserver
from deployer.commands import inside
from deployer.commands.bind import checked, occupied
from deployer.config import Settings
from deployer.demo import supervisor
from deployer.jobs import worker as jobs

LOOK_SECONDS = 2.0

log = logging.getLogger(__name__)


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the demo keeps everything.  [default: DEPLOYER_HOME, else .deployer]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port of the console on 127.0.0.1; 0 takes any free one.",
)
@click.option(
    "--json/--no-json",
    "as_json",
    default=None,
    help="When ready, print the URL and the sign-in as one line of JSON, or for a person.  "
    "[default: JSON with --port 0, or when the output is not a terminal]",
)
def demo(home: Path | None, port: int, as_json: bool | None) -> None:
    """Run the console with a demo fleet: three real services on six hosts, all on this machine.

    Stops with Ctrl-C and leaves nothing running. The same home can be started again and has kept its data. DATABASE_URL
    and REDIS_URL are not used.
    """
    if home is None:
        home = Path(os.environ.get("DEPLOYER_HOME") or ".deployer")
    if as_json is None:
        as_json = port == 0 or not sys.stdout.isatty()
    raise SystemExit(supervisor.run(home.expanduser().absolute(), port, as_json))


@click.command()
@click.option(
    "--bind",
    callback=checked,
    default="127.0.0.1:8000",
    show_default=True,
    help="HOST:PORT or unix:PATH to listen on, or fd://N of a socket that listens already.",
)
@click.option("--workers", type=click.IntRange(1), default=webserver.workers, show_default=True, help="Processes.")
@click.option(
    "--threads", type=click.IntRange(1), default=webserver.threads, show_default=True, help="Threads in each."
)
def web(bind: str, workers: int, threads: int) -> None:
    """Serve the console's pages and API with gunicorn.

    For other machines to reach it, put a proxy with TLS in front and set DEPLOYER_SECURE_COOKIES=1.
    """
    inside.safe_settings()
    problem = occupied(bind)
    if problem:
        inside.stop(problem, inside.FAILED)
    options = ["--bind", bind, "--workers", str(workers), "--threads", str(threads)]
    argv = webserver.command(*options)
    os.execv(argv[0], argv)  # noqa: S606 (no shell is wanted)


@click.command()
@click.option(
    "--slots",
    type=click.IntRange(1, 1000),
    default=Settings.slots,
    show_default=True,
    help="How many hosts this worker works on at a time.",
)
def worker(slots: int) -> None:
    """Carry out upgrades and reverts until told to stop; hosts that are being worked on are finished first.

    Without REDIS_URL it starts the embedded Redis, unless one answers in this home already. A Redis of your own that
    does not answer is waited for. The exit status is 0 after SIGTERM or SIGINT, else 1.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    inside.safe_settings()
    with inside.application() as app:
        app.config["SETTINGS"] = replace(app.config["SETTINGS"], slots=slots)  # each job opens a context of its own
    try:
        with _stoppable(), embedded.kept(app.config["SETTINGS"]) as redis:
            _wait_for_redis(app.config["REDIS_URL"])
            orderly = jobs.run(app, redis.tend)
    except (embedded.NoRedis, sealing.BadKeys) as problem:
        inside.stop(str(problem), inside.FAILED)
    if not orderly:
        inside.stop("The worker ended by itself, because of the error that it logged last.", inside.FAILED)


@contextmanager
def _stoppable() -> Iterator[None]:
    """End in order when told to before the work has begun; from then on the worker listens for that itself."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for_redis(url: str) -> None:
    """After a restart of the machine a worker may be there first. To end would use up what systemd allows of starts."""
    told = ""
    while why := embedded.silence(url):
        if why != told:
            log.warning("Redis does not answer: %s. The worker is waiting for it; REDIS_URL says where it is.", why)
            told = why
        time.sleep(LOOK_SECONDS)
    if told:
        log.info("Redis answers now.")
