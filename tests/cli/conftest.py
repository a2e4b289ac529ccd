"""The command line, called in this process, on a database of its own."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deployer.cli import main


@dataclass(frozen=True)
class Console:
    """A home and what can be done with it."""

    home: Path

    def __call__(self, *words: str, stdin: str | bytes | None = None, **env: str) -> Result:
        """Run ``deployer`` with these words."""
        environment = {"DEPLOYER_HOME": str(self.home), "DATABASE_URL": None, "REDIS_URL": None, "SECRET_KEY": None}
        return CliRunner().invoke(main, words, input=stdin, env={**environment, **env})

    def rows(self, table: str) -> list[dict[str, object]]:
        """Everything in a table."""
        with closing(sqlite3.connect(self.home / "deployer.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(f'SELECT * FROM "{table}" ORDER BY id')]

    def dump(self) -> str:
        """The whole database, as text."""
        with closing(sqlite3.connect(self.home / "deployer.db")) as database:
            return "\n".join(database.iterdump())


class Started(BaseException):
    """`deployer web` would become gunicorn now, and the tests would be gone."""


@pytest.fixture(autouse=True)
def _do_not_become_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def execv(_program: str, argv: list[str]) -> None:
        raise Started(argv)

    monkeypatch.setattr(os, "execv", execv)


@pytest.fixture
def empty_home(tmp_path: Path) -> Path:
    """A home that is not there yet."""
    return tmp_path / "home"


@pytest.fixture
def deployer(empty_home: Path, sqlite_template: Path) -> Console:
    """The command line with a migrated, empty database."""
    empty_home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, empty_home / "deployer.db")
    return Console(empty_home)


@pytest.fixture(scope="session")
def stocked_template(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """A database with a service, two versions and a host, to copy."""
    console = Console(tmp_path_factory.mktemp("stocked"))
    shutil.copy(sqlite_template, console.home / "deployer.db")
    for words in (
        ("service", "add", "orders", "--restart", "systemctl restart orders"),
        ("version", "add", "orders", "1.0", "--url", "https://example.org/1.0.tar.gz", "--sha256", "a" * 64),
        ("version", "add", "orders", "1.1", "--status", "building"),
        ("host", "add", "web-1", "--address", "192.0.2.7", "--directory", "/srv/deployer"),
    ):
        result = console(*words)
        assert result.exit_code == 0, result.output
    copy = console.home / "copy.db"
    with closing(sqlite3.connect(console.home / "deployer.db")) as database:
        database.execute("VACUUM INTO ?", (str(copy),))
    return copy


@pytest.fixture
def stocked(deployer: Console, stocked_template: Path) -> Console:
    """As ``deployer``, with a service, two versions and a host."""
    shutil.copy(stocked_template, deployer.home / "deployer.db")
    return deployer
