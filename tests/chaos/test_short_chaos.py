"""The short form of ``make chaos``, on both databases at the same time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import DATABASES, need
from tests.postgres import missing_postgres


@dataclass(frozen=True)
class Run:
    """One run, and what it says."""

    process: subprocess.Popen[bytes]
    output: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """One for each database. They mostly wait for leases to run out, so side by side they take as long as one."""
    directory = tmp_path_factory.mktemp("chaos")
    started = {}
    for database in DATABASES:
        if database == "postgresql" and missing_postgres():
            continue
        with (directory / database).open("wb") as output:
            argv = [sys.executable, "-m", "tests.chaos", "--short", "--database", database]
            process = subprocess.Popen(argv, stdout=output, stderr=output)
        started[database] = Run(process, directory / database)
    yield started
    for run in started.values():
        run.process.kill()  # whatever it started dies with it
        run.process.wait()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("database", DATABASES)
def test_nothing_is_stuck_lost_doubled_or_untrue_after_a_handful_of_every_fault(
    runs: dict[str, Run], database: str
) -> None:
    need(missing_postgres() if database == "postgresql" else None)
    status = runs[database].process.wait()
    assert status == 0, runs[database].output.read_text()
