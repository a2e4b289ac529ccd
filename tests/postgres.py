"""A PostgreSQL server for the tests, from Debian's packages, in a directory of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from deployer import lifetime

_names = itertools.count(1)


def _bin() -> Path | None:
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


def missing_postgres() -> str | None:
    """Why there is no PostgreSQL here, or None."""
    return None if _bin() else "PostgreSQL is not installed (Debian: apt-get install postgresql)"


class Cluster:
    """A server that runs while the ``with`` block does."""

    def __init__(self) -> None:
        # Not below pytest's directory: that one is closed to other users, and the server is one when we are root.
        self.directory = Path(tempfile.mkdtemp(prefix="deployer-pg-"))
        found = _bin()
        assert found is not None
        self.bin = found
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self) -> Cluster:
        # PostgreSQL refuses to run as root; its packages bring a user for it.
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        data = self.directory / "data"
        if os.geteuid() == 0:
            shutil.chown(self.directory, self.user)
        self._run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()
        return self

    def start(self) -> None:
        """Start the server, again after :meth:`stop`, and wait until it takes connections. It ends when we do."""
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        options += ["full_page_writes=off", "max_connections=200"]
        settings = [word for option in options for word in ("-c", option)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.bin / "postgres"), "-D", str(self.directory / "data"), *settings],
                cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=lifetime.bond(),  # noqa: PLW1509 (it only calls the kernel)
                **self._identity(),
            )  # fmt: skip
        until = time.monotonic() + 30
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < until, (self.directory / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")):
            return True
        return False

    def stop(self) -> None:
        """End the server as a crash would, without a word to its clients; what was committed is kept."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def _identity(self) -> dict[str, Any]:
        return {"user": self.user, "group": self.user} if os.geteuid() == 0 else {}

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), *arguments]
        done = subprocess.run(
            command, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            **self._identity(),
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def url(self, database: str) -> str:
        """The SQLAlchemy address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def unused_name(self) -> str:
        """A database name that no test has had."""
        return f"test_{next(_names)}"

    def create(self, name: str, template: str = "template1") -> str:
        """Create a database and return its address."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)
