"""A PostgreSQL server for the tests, from Debian's packages, in a directory of its own."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

import psycopg

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
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
            "-c fsync=off -c full_page_writes=off -c max_connections=200"
        )
        self._run("pg_ctl", "-D", str(data), "-w", "-l", str(self.directory / "log"), "-o", options, "start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("pg_ctl", "-D", str(self.directory / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.directory)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), *arguments]
        kwargs = {"user": self.user, "group": self.user} if os.geteuid() == 0 else {}
        done = subprocess.run(
            command, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=program == "initdb", text=True,
            stdout=None if program == "initdb" else subprocess.DEVNULL, check=False, **kwargs,
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
