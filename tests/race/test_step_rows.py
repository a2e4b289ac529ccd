"""Those who write many steps at once, each in its own way, do not stand in each other's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from flask import Flask

from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.operations import rollouts, steps
from deployer.operations.steps import Said
from tests.standings import ALL
from tests.storm import prepare
from tests.world import ADMIN

SECONDS = 3.0


def test_heartbeats_and_logs_of_the_same_steps_never_deadlock(app: Flask) -> None:
    ground = prepare(100)
    command = StartRollout(ground.service, ground.source, Action.UPGRADE, ground.target, ALL)
    rollout_id = rollouts.start(command, ADMIN).rollout_id
    taken = steps.take_steps(rollout_id, "a worker", 100)
    held = {step.step_id: step.attempt for step in taken}
    until = time.monotonic() + SECONDS
    errors: list[Exception] = []

    def again(write: Callable[[int], object]) -> None:
        number = 0
        while time.monotonic() < until:
            number += 1
            try:
                with app.app_context():
                    write(number)
            except Exception as problem:
                errors.append(problem)

    def say(number: int) -> None:
        # Each step in another phase than its neighbours: as many statements, in an order that changes.
        order = taken if number % 2 else taken[::-1]
        steps.say([Said(step, [], str(at * number % 7)) for at, step in enumerate(order)])

    writers = [lambda _: steps.keep_leases(held), lambda _: steps.keep_leases(held), say, say]
    threads = [threading.Thread(target=again, args=[write]) for write in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
