"""``deployer demo``, ``deployer web`` and ``deployer worker``: what runs until it is stopped."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

from deployer import embedded, webserver
from deployer.commands import inside
from deployer.demo import supervisor
from deployer.jobs import worker as jobs


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
@click.option("--bind", default="127.0.0.1:8000", show_default=True, help="HOST:PORT or unix:PATH to listen on.")
@click.option("--workers", type=click.IntRange(1), default=webserver.workers, show_default=True, help="Processes.")
@click.option(
    "--threads", type=click.IntRange(1), default=webserver.threads, show_default=True, help="Threads in each."
)
def web(bind: str, workers: int, threads: int) -> None:
    """Serve the console's pages and API with gunicorn.

    For other machines to reach it, put a proxy with TLS in front and set DEPLOYER_SECURE_COOKIES=1.
    """
    inside.settings()
    options = ["--bind", bind, "--workers", str(workers), "--threads", str(threads)]
    argv = webserver.command(*options)
    os.execv(argv[0], argv)  # noqa: S606 (no shell is wanted)


@click.command()
def worker() -> None:
    """Carry out upgrades and reverts until told to stop; a running one is finished first.

    Without REDIS_URL it starts the embedded Redis, unless one answers in this home already.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with inside.application() as app:
        pass  # only made here: each job opens a context of its own
    try:
        with embedded.running(app.config["SETTINGS"]):
            jobs.run(app)
    except embedded.NoRedis as problem:
        inside.stop(str(problem), inside.FAILED)
