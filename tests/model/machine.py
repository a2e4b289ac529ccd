"""Everything that people, machines and bad luck can do, in any order."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, OnFailure
from deployer.domain.strategy import Strategy, parse_wave_size
from deployer.operations import followups, probes, rollouts
from tests.model.database import Database
from tests.model.simulation import Simulation
from tests.model.workers import Bells
from tests.world import ADMIN

STRATEGIES = st.builds(
    Strategy,
    st.sampled_from(["", "1", "2", "50%"]).map(parse_wave_size),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(OnFailure),
)
NUMBERS = st.integers(0, 99)
SUBSETS = st.sets(st.integers(0, 3), max_size=4)  # of the hosts there are; empty is all
HOST = st.sampled_from("abcd")
WORKER = st.integers(0, 1)
# Most of them about as long as a lease: then others are at what was the sleeper's, or have just ended it.
SLEEPS = st.integers(1, 8).map(lambda number: 30 + number) | st.sampled_from([12.0, 40.0])


class Machine(RuleBasedStateMachine):
    """Subclassed by the tests, which bring the database and the bells."""

    database: ClassVar[Database]
    bells: ClassVar[Bells]

    @initialize(
        strategy=STRATEGIES, instance=NUMBERS, goal=NUMBERS, hosts=SUBSETS, bad=SUBSETS, times=st.integers(0, 60)
    )
    def begin(self, strategy: Strategy, instance: int, goal: int, hosts: set[int], bad: set[int], times: int) -> None:
        """There is work from the start, and some of it goes wrong."""
        self.sim = Simulation(self.database, self.bells)
        for number in bad:
            self.sim.fleet.places["abcd"[number], "orders"].fails_next = True
        self.start_rollout(strategy, instance, goal, hosts)
        self.one_works(0, times)

    # People

    @rule(strategy=STRATEGIES, instance=NUMBERS, goal=NUMBERS, hosts=SUBSETS)
    def start_rollout(self, strategy: Strategy, instance: int, goal: int, hosts: set[int]) -> None:
        service, source = self.row(
            "SELECT service_id, version_id FROM instance WHERE rollout_id IS NULL", instance
        ) or self.row("SELECT service_id, version_id FROM instance", instance)
        versions = self.rows(f"SELECT id FROM version WHERE service_id = {service} AND id != {source}")
        to = versions[goal % len(versions)][0]
        there = self.rows(f"SELECT host_id FROM instance WHERE version_id = {source} AND rollout_id IS NULL")
        action = Action.UPGRADE if to > source else Action.REVERT
        command = StartRollout(service, source, action, to, self.choice(hosts, there), strategy=strategy)
        self.act(rollouts.start, command, ADMIN)

    @precondition(lambda self: self.sim.judge.seen.rollouts)
    @rule(number=NUMBERS)
    def pause(self, number: int) -> None:
        self.act(rollouts.pause, self.rollout(number, "queued", "running"), ADMIN)

    @precondition(lambda self: self.sim.judge.seen.rollouts)
    @rule(number=NUMBERS, hosts=SUBSETS)
    def resume(self, number: int, hosts: set[int]) -> None:
        rollout_id = self.rollout(number, "paused")
        waiting = self.rows(
            "SELECT host_id FROM instance JOIN step ON step.instance_id = instance.id"
            f" WHERE step.rollout_id = {rollout_id} AND step.state = 'queued'"
        )
        self.act(rollouts.resume, rollout_id, self.choice(hosts, waiting), ADMIN)

    @precondition(lambda self: self.sim.judge.seen.rollouts)
    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        self.act(rollouts.cancel, self.rollout(number, "queued", "running", "paused"), ADMIN)

    @precondition(lambda self: self.sim.judge.seen.rollouts)
    @rule(number=NUMBERS)
    def undo(self, number: int) -> None:
        self.act(followups.undo, self.rollout(number), HostChoice(everyone=True), ADMIN)

    @precondition(lambda self: self.sim.judge.seen.rollouts)
    @rule(number=NUMBERS)
    def retry(self, number: int) -> None:
        self.act(followups.retry, self.rollout(number, "failed"), HostChoice(everyone=True), ADMIN)

    @rule(number=NUMBERS)
    def ask_again(self, number: int) -> None:
        self.act(probes.ask, self.row("SELECT id FROM instance", number)[0], ADMIN)

    # Time, workers and their luck

    @rule(seconds=st.sampled_from([0.1, 0.6, 1.1, 2.0, 4.0, 12.0]))
    def time_passes(self, seconds: float) -> None:
        self.sim.pass_time(seconds)

    @rule(worker=WORKER, times=st.integers(1, 40))
    def one_works(self, worker: int, times: int) -> None:
        for _ in range(times):
            self.sim.workers[worker].step()

    @rule(worker=WORKER, outlive=st.booleans(), whole=st.booleans())
    def die(self, worker: int, outlive: bool, whole: bool) -> None:
        self.connections_die(outlive)
        worker = self.busy(worker)
        if whole and self.sim.workers[worker].alive:
            self.sim.kill_worker(worker)
        else:
            self.sim.workers[worker].kill_job()

    @precondition(lambda self: not all(worker.alive for worker in self.sim.workers))
    @rule()
    def start_workers(self) -> None:
        for number in range(len(self.sim.workers)):
            self.sim.start_worker(number)

    @rule(worker=WORKER, seconds=SLEEPS, others=st.integers(0, 60))
    def sleep_and_wake(self, worker: int, seconds: float, others: int) -> None:
        """Others go on meanwhile, if they are awake; then it finds itself in a world that has moved on."""
        worker = self.busy(worker)
        self.sim.workers[worker].awake = False
        self.sim.pass_time(seconds)
        for _ in range(others):
            self.sim.workers[1 - worker].step()
        self.sim.workers[worker].awake = True

    @rule(worker=WORKER)
    def fall_asleep(self, worker: int) -> None:
        self.sim.workers[worker].awake = not self.sim.workers[worker].awake

    # Hosts, Redis and the database

    @rule(host=HOST, service=st.sampled_from(["orders", "mail"]))
    def next_switch_fails(self, host: str, service: str) -> None:
        place = self.sim.fleet.places.get((host, service))
        if place is not None:
            place.fails_next = True

    @rule(host=HOST, outlive=st.booleans())
    def reach(self, host: str, outlive: bool) -> None:
        """A host goes away, or comes back."""
        if host in self.sim.fleet.unreachable:
            self.sim.fleet.unreachable.remove(host)
            return
        self.connections_die(outlive)
        self.sim.fleet.unreachable.add(host)
        self.sim.fleet.cut(host=host)

    @rule(host=HOST, outlive=st.booleans())
    def connections_break(self, host: str, outlive: bool) -> None:
        """The host is there all the time, but who ran a command on it hears no more of that."""
        self.connections_die(outlive)
        self.sim.fleet.cut(host=host)

    @rule(what=st.sampled_from(["ring", "lose", "double", "wipe", "away", "back"]))
    def bell(self, what: str) -> None:
        bells = self.sim.bells
        bells.waiting = {"ring": bells.waiting + 1, "lose": max(0, bells.waiting - 1), "double": bells.waiting * 2}.get(
            what, 0 if what == "wipe" else bells.waiting
        )
        bells.away = what == "away"

    @rule(what=st.sampled_from(["before", "after"]), seconds=st.sampled_from([0.0, 1.0, 8.0, 20.0]))
    def database_is_away(self, what: str, seconds: float) -> None:
        """Operations fail before they begin, or after they are committed."""
        self.sim.database.away = what
        for worker in self.sim.workers:
            for _ in range(3):
                worker.step()
        self.sim.pass_time(seconds)
        self.sim.database.away = None

    # What must be so

    @invariant()
    def nothing_was_wrong(self) -> None:
        if hasattr(self, "sim"):
            self.sim.judge.look()
            self.sim.judge.compare()
            assert not self.sim.wrong, "\n".join(self.sim.wrong)

    def teardown(self) -> None:
        if not hasattr(self, "sim"):
            return
        try:
            if not self.sim.wrong:
                self.sim.heal()
                self.nothing_was_wrong()
        finally:
            self.sim.bury()

    # How rules choose

    def act(self, operation: Any, *args: Any) -> None:
        note(f"{operation.__name__}: {self.sim.act(operation, *args)}")

    def busy(self, worker: int) -> int:
        """This one, or the other if only that one is at work: bad luck for the idle is a waste of an example."""
        other = 1 - worker
        running = [one.job is not None and bool(one.job.drain.running) for one in self.sim.workers]
        return other if running[other] and not running[worker] else worker

    def connections_die(self, outlive: bool) -> None:
        """Whether a command outlives the connection over which it was begun."""
        self.sim.fleet.outlive = {host for host, _ in self.sim.fleet.places} if outlive else set()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.sim.database.connection.execute(query).fetchall()

    def row(self, query: str, number: int) -> tuple[Any, ...]:
        found = self.rows(query)
        return found[number % len(found)] if found else ()

    def rollout(self, number: int, *states: str) -> int:
        """One of those in the states, most of the time: what is refused is tried too."""
        known = self.sim.judge.seen.rollouts.values()
        fitting = [one.id for one in known if one.state in states] if number % 5 else []
        chosen = fitting or [one.id for one in known]
        return chosen[number % len(chosen)]

    @staticmethod
    def choice(chosen: set[int], there: list[tuple[Any, ...]]) -> HostChoice:
        ids = [there[number][0] for number in sorted(chosen) if number < len(there)]
        return HostChoice(everyone=False, ids=tuple(ids)) if ids else HostChoice(everyone=True)


def explore(database: Database, bells: Bells, examples: int, *, anew: bool = False, shrink: bool = False) -> None:
    """Try so many examples: the same ones each time, or ``anew`` others. Raises AssertionError when one shows a fault;
    with ``shrink`` it is made as short as it can be."""
    world = {"database": database, "bells": bells}
    run_state_machine_as_test(
        type("Model", (Machine,), world),
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            derandomize=not anew,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        ),
    )
