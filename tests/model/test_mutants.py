"""The simulation sees through faults that one check at a time cannot: it is run with each, from a fixed seed."""

from __future__ import annotations

import pytest

from tests.model import mutants
from tests.model.database import Database
from tests.model.machine import explore
from tests.model.mutants import Mutant
from tests.model.workers import Bells

pytestmark = pytest.mark.timeout(300)
# Those that only show when several things come together; what the others break, other layers make good.
CAUGHT = [
    mutants.no_fence_in_the_database,
    mutants.no_fence_on_the_hosts,
    mutants.nobody_sweeps,
    mutants.look_after_guesses,
    mutants.take_from_any_wave,
    mutants.nobody_stops,
]


@pytest.mark.parametrize("mutant", CAUGHT, ids=lambda mutant: mutant.__name__)
def test_the_simulation_catches_what_a_missing_safeguard_lets_happen(
    simulated_database: Database, bells: Bells, monkeypatch: pytest.MonkeyPatch, mutant: Mutant
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        explore(simulated_database, bells, examples=40)
