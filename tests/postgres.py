"""A PostgreSQL server for the tests, from Debian's packages, in a directory of its own."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from deployer import lifetime
from tests.loopback import free_port, own_address

MEMORY = Path("/dev/shm")  # a file system in memory, where Linux has one
ROOM = 1 << 30  # bytes that a cluster may need; containers often have less there
PREFIX = "deployer-pg-"
SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": "200",
    # What is lost when a machine crashes, or is there to copy to other servers, is of no use here.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "64MB",
    "autovacuum": "off",
}

_names = itertools.count(1)


def _bin() -> Path | None:
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


def missing_postgres() -> str | None:
    """Why there is no PostgreSQL here, or None."""
    return None if _bin() else "PostgreSQL is not installed (Debian: apt-get install postgresql)"


def _place() -> Path:
    """Where to put a cluster. A database is 300 files, which a disk takes ten times as long to copy as memory does."""
    with contextlib.suppress(OSError):
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
            return MEMORY
    # Not below pytest's directory: that one is closed to other users, and the server is one when we are root.
    return Path(tempfile.gettempdir())


def _sweep(place: Path) -> None:
    """Remove what clusters left behind whose tests were killed: in memory, it would be missed."""
    for lock in place.glob(f"{PREFIX}*/lock"):
        with contextlib.suppress(OSError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.stat().st_size:  # else it is about to be taken
                shutil.rmtree(lock.parent)


class Cluster:
    """A server that runs while the ``with`` block does."""

    def __init__(self) -> None:
        found = _bin()
        assert found is not None
        self.bin = found
        place = _place()
        _sweep(place)
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        self.lock = (self.directory / "lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.lock.write("taken\n")
        self.lock.flush()
        self.address = own_address(1)
        self.port = free_port(self.address)

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
        options = {"port": self.port, "listen_addresses": self.address, **SETTINGS}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
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
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")) as connection:
            self.version = connection.info.server_version
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
        self.lock.close()

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
        return f"postgresql://postgres@{self.address}:{self.port}/{database}"

    def unused_name(self) -> str:
        """A database name that no test has had."""
        return f"test_{next(_names)}"

    def create(self, name: str, template: str = "template1") -> str:
        """Create a database and return its address."""
        # Copies of files are as quick, and leave no write-ahead log. Before 15 there was nothing else to name.
        strategy = "STRATEGY FILE_COPY" if self.version >= 150_000 else ""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {strategy}')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)
