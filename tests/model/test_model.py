"""The protocol (DESIGN §3) under everything that can happen, in simulated time."""

from __future__ import annotations

import os

import pytest

from tests.model.database import Database
from tests.model.machine import explore
from tests.model.workers import Bells

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))  # that ``make model`` asks for: others each time


@pytest.mark.timeout(max(300, 10 * EXAMPLES))
def test_whatever_happens_no_host_is_worked_on_twice_and_all_accepted_work_ends(
    simulated_database: Database, bells: Bells
) -> None:
    explore(simulated_database, bells, EXAMPLES or 15, anew=bool(EXAMPLES), shrink=True)
