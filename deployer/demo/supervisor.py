"""The demo as one foreground process tree: everything starts in order, and everything ends when one part does.

Three ties keep orphans from being left behind, even when this process is killed: child processes are bound to it by
the kernel (:mod:`deployer.lifetime`), services watch a lifeline whose other end only this process holds, and every port
is handed to the one process that serves it. A signal only sets a flag here, and whatever takes long is done by a child:
so the end is always an orderly one, whenever it is asked for.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deployer import embedded, lifetime, webserver
from deployer.config import Settings, read_settings
from deployer.demo import report
from deployer.demo.home import DemoError, lifeline, listening, locked
from deployer.demo.machines import kept
from deployer.demo.preparing import preparation
from deployer.demo.seed import SeedError, hosts_directory, is_seeded, sign_in
from deployer.embedded import NoRedis

ADDRESS = "127.0.0.1"
READY_SECONDS = 60.0
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.1
WORKER_PATIENCE = 3.0
PATIENCE = 5.0
# Names of the environment that would change how the children run; the demo is the same everywhere.
FOREIGN = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "DEPLOYER_SECURE_COOKIES", "CREDENTIAL_KEYS")


class Stopped(Exception):
    """Somebody asked for the end."""


def run(home: Path, port: int, as_json: bool) -> int:
    """Run the demo until it is stopped. The exit status: 0 after a signal, 1 when something went wrong."""
    try:
        _run(home, port, as_json, _Signals())
    except Stopped:
        report.line("Stopped.")
        return 0
    except (DemoError, SeedError, NoRedis) as problem:
        report.problem(str(problem))
    return 1


def _run(home: Path, port: int, as_json: bool, signals: _Signals) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(home))
        remedy = f"Choose another one: deployer demo --port {port + 1}, or make demo PORT={port + 1}."
        listener = stack.enter_context(listening(ADDRESS, port, remedy))
        url = f"http://{ADDRESS}:{listener.getsockname()[1]}"
        settings = read_settings({"DEPLOYER_HOME": str(home)})
        seeded = is_seeded(home)
        stack.enter_context(lifeline(home, hosts_directory(home)))
        children = _Children(settings)
        stack.callback(children.end)
        with report.step("Starting Redis"):
            children.adopt("Redis", embedded.ensure(settings), embedded.log_path(settings))
        with preparation(settings, seeded) as prepared:
            while not prepared():
                signals.check()
                time.sleep(LOOK_SECONDS)
        _open_hosts(home, children)
        with report.step("Starting the console"):
            web = webserver.command("--graceful-timeout", "3", "--bind", f"fd://{listener.fileno()}")
            children.start("web", web, [listener.fileno()])
            listener.close()
            children.start("worker", [sys.executable, "-m", "deployer", "worker"])
            while not _is_ready(url, children):
                signals.check()
                children.look()
                time.sleep(LOOK_SECONDS)
        report.ready(url, sign_in(home), as_json)
        while True:
            signals.check()
            children.look()
            time.sleep(LOOK_SECONDS)


def _open_hosts(home: Path, children: _Children) -> None:
    """Start the SSH servers of the hosts. Who connects before they are ready has to wait for a moment only."""
    machines = kept(home)
    if not machines:  # as in a home of an earlier release, whose hosts are all local
        return
    remedy = "Start the demo again: it takes another one."
    with contextlib.ExitStack() as stack:
        descriptors = [stack.enter_context(listening(one.address, one.port, remedy)).fileno() for one in machines]
        argv = [sys.executable, "-m", "deployer.demo.sshd", str(home), *map(str, descriptors)]
        children.start("SSH", argv, descriptors)


def _is_ready(url: str, children: _Children) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=ANSWER_SECONDS)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/sign-in")
        status = connection.getresponse().status
        if status != http.HTTPStatus.OK:
            raise DemoError(f"The web process answers {url}/sign-in with {status}. Its log is {children.log('web')}.")
        return True
    if time.monotonic() > children.since + READY_SECONDS:
        raise DemoError(f"The web process does not answer. Its log is {children.log('web')}.")
    return False


class _Children:
    """The processes of the demo, in the order in which they were started; they end the other way round."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        self.since = time.monotonic()  # when the last of them was started

    def log(self, name: str) -> Path:
        """Where the process of this name writes."""
        return self._settings.home / "log" / f"{name.lower()}.log"

    def start(self, name: str, argv: Sequence[str], pass_fds: Sequence[int] = ()) -> None:
        """Start one, with the settings in its environment."""
        environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        environment |= {
            "DEPLOYER_HOME": str(self._settings.home),
            "DATABASE_URL": self._settings.database_url,
            "REDIS_URL": self._settings.redis_url,
            "SECRET_KEY": self._settings.secret_key,
            # Everything of the demo is on this machine, also artifacts that are tried out.
            "DEPLOYER_ALLOWED_NETWORKS": os.environ.get("DEPLOYER_ALLOWED_NETWORKS") or "127.0.0.0/8,::1",
        }
        self.adopt(name, lifetime.spawn(argv, self.log(name), env=environment, pass_fds=pass_fds), self.log(name))

    def adopt(self, name: str, process: subprocess.Popen[bytes] | None, log: Path) -> None:
        """Look after a process that was started elsewhere, if there is one."""
        if process is not None:
            self._all.append((name, process, log))
            self.since = time.monotonic()

    def look(self) -> None:
        """Raise :class:`DemoError` when one of them has ended."""
        for name, process, log in self._all:
            if process.poll() is not None:
                raise DemoError(
                    f"The {name} process ended unexpectedly ({lifetime.how_it_ended(process)}); everything else was "
                    f"stopped too. Its log is {log}."
                )

    def end(self) -> None:
        """End all of them."""
        for name, process, _log in reversed(self._all):
            # A worker ends after the job it runs. Who stops a demo does not wait for that; the next start recovers it.
            lifetime.end(process, WORKER_PATIENCE if name == "worker" else PATIENCE)


class _Signals:
    """Notes that somebody asked for the end. Nothing is interrupted: an exception that a signal raises can come up
    anywhere, also where nothing catches it."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # under nohup the terminal may go
            signal.signal(number, self._ask)

    def check(self) -> None:
        """Raise :class:`Stopped` if the end was asked for."""
        if self._asked:
            raise Stopped

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
