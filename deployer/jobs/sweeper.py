"""What a worker does every few seconds, whether anybody rang or not: say that it lives, look for work that waits."""

from __future__ import annotations

from deployer import queue
from deployer.extensions import db
from deployer.jobs import identity
from deployer.operations import checks, probes, steps, workers


def tick(name: str, slots: int) -> None:
    """Say that the worker ``name`` lives; ring if a step waits, a worker died in the middle of one, or somebody wants a
    host asked or tested. Called in the worker's parent; must stay small."""
    workers.beat(name, slots)
    for holder in steps.holders():
        if identity.is_dead(holder):  # nobody has to wait for its leases to run out
            steps.expire_leases(holder)
    # One bell is enough: who answers it looks at everything.
    waits = bool(steps.waiting_rollouts() or probes.waiting_probes() or checks.waiting_checks())
    db.session.rollback()  # no transaction is open while a network waits
    if waits:
        queue.ring_if_silent()
