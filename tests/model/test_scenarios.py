"""Runs of bad luck that chance seldom deals, told step by step. Each ends well, and would not without its safeguard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, StepState
from deployer.operations import probes, rollouts
from tests.model import mutants
from tests.model.database import Database
from tests.model.mutants import Mutant
from tests.model.simulation import Simulation
from tests.model.workers import Bells
from tests.world import ADMIN

SLOT = ("a", "orders")


@pytest.fixture
def simulation(simulated_database: Database, bells: Bells) -> Iterator[Simulation]:
    found = Simulation(simulated_database, bells)
    yield found
    found.bury()


def upgrade_one_host(simulation: Simulation) -> int:
    """Bring version 3 to host a; returns the id of its instance."""
    row = simulation.database.connection.execute(
        "SELECT i.id, i.service_id, i.version_id, i.host_id FROM instance i JOIN host h ON h.id = i.host_id"
        " JOIN service s ON s.id = i.service_id WHERE h.hostname = ? AND s.name = ?",
        SLOT,
    ).fetchone()
    instance_id, service_id, version_id, host_id = row
    chosen = HostChoice(everyone=False, ids=(host_id,))
    command = StartRollout(service_id, version_id, Action.UPGRADE, version_id + 1, chosen)
    assert simulation.act(rollouts.start, command, ADMIN) == "done"
    return int(instance_id)


def a_sleeper_wakes_while_another_looks_after_its_host(simulation: Simulation) -> None:
    """Its own end of the step comes while the step runs, but by the next attempt."""
    sleeper, other = simulation.workers
    other.awake = False
    upgrade_one_host(simulation)
    simulation.pass_time(2.0)  # in the middle of the switch
    other.awake, sleeper.awake = True, False
    (step,) = simulation.judge.seen.steps.values()
    while simulation.judge.seen.steps[step.id].attempt == 1:
        simulation.pass_time(0.5)
    sleeper.awake, other.awake = True, False
    simulation.pass_time(0.1)
    assert simulation.judge.seen.steps[step.id].state is StepState.RUNNING
    simulation.heal()


def a_command_goes_on_after_the_host_was_asked(simulation: Simulation) -> None:
    """Nobody hears of a switch any more that has not acted yet; the host is asked; then it acts."""
    instance_id = upgrade_one_host(simulation)
    simulation.pass_time(1.5)
    assert simulation.fleet.places[SLOT].running
    simulation.fleet.outlive = {SLOT[0]}
    simulation.fleet.cut(host=SLOT[0])
    simulation.pass_time(0.1)
    assert simulation.act(probes.ask, instance_id, ADMIN) == "done"
    simulation.pass_time(10.0)
    simulation.heal()


SCENARIOS: list[tuple[Callable[[Simulation], None], Mutant]] = [
    (a_sleeper_wakes_while_another_looks_after_its_host, mutants.any_attempt_will_do),
    (a_command_goes_on_after_the_host_was_asked, mutants.asking_takes_no_fence),
]


@pytest.mark.parametrize(("scenario", "mutant"), SCENARIOS, ids=lambda one: one.__name__)
def test_a_run_of_bad_luck_does_no_harm(
    simulation: Simulation, scenario: Callable[[Simulation], None], mutant: Mutant
) -> None:
    scenario(simulation)
    assert not simulation.wrong


@pytest.mark.parametrize(("scenario", "mutant"), SCENARIOS, ids=lambda one: one.__name__)
def test_the_same_luck_does_harm_without_the_safeguard(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch, scenario: Callable[[Simulation], None], mutant: Mutant
) -> None:
    mutant(monkeypatch)
    scenario_fails = False
    try:
        scenario(simulation)
    except AssertionError:
        scenario_fails = True
    assert scenario_fails or simulation.wrong
