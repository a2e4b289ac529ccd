"""The database of the simulation, and bells instead of Redis."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer import queue
from tests.model.database import Database
from tests.model.workers import Bells


@pytest.fixture(scope="session")
def simulated_database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One for all examples."""
    database = Database(sqlite_template, tmp_path_factory.mktemp("model"))
    yield database
    database.close()


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bells]:
    """What operations and workers ring. Nothing is logged: jobs die here by the hundred."""
    bells = Bells()
    monkeypatch.setattr(queue, "ring", bells.ring)
    monkeypatch.setattr(queue, "ring_if_silent", bells.ring_if_silent)
    logging.disable(logging.CRITICAL)
    yield bells
    logging.disable(logging.NOTSET)
