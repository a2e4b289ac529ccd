"""A host is asked which version it runs, by a real worker: it does not answer, then it does."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import update

from deployer.domain.errors import Conflict
from deployer.domain.fence import Fence, fenced
from deployer.domain.release import Command
from deployer.domain.status import Evidence
from deployer.extensions import db
from deployer.models import Instance
from deployer.operations import probes
from deployer.operations.transaction import transaction
from deployer.queries import fleet
from deployer.queries import steps as step_queries
from tests.jobs.conftest import Fleet
from tests.jobs.test_drain import drain
from tests.jobs.test_worker import wait_for, worker
from tests.world import ADMIN

__all__ = ["worker"]


def asked(instance_id: int) -> fleet.InstanceRow:
    """Ask, wait for the answer, and look at the row."""
    probes.ask(instance_id, ADMIN)

    def is_answered() -> bool:
        db.session.rollback()
        return not fleet.instance(instance_id).asked

    wait_for(is_answered)
    return fleet.instance(instance_id)


def move(instance_id: int, port: int) -> None:
    """Say that the service listens there."""
    with transaction() as session:
        session.execute(update(Instance).where(Instance.id == instance_id).values(port=port))


def test_a_host_that_did_not_answer_and_then_does_is_confirmed(
    app: Flask, worker: Callable[[], subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    first = real_fleet.instances()[0].id
    worker()
    move(first, 9)  # nobody listens there
    row = asked(first)
    assert (row.evidence, row.version, row.may_ask) == (Evidence.UNVERIFIED, "1.1.0", True)

    move(first, real_fleet.port)
    row = asked(first)
    assert (row.evidence, row.version, row.may_ask) == (Evidence.CONFIRMED, "1.1.0", False)


def test_a_host_that_a_rollout_holds_is_not_asked_and_it_is_said_who_holds_it(app: Flask, real_fleet: Fleet) -> None:
    rollout_id = real_fleet.start("1.4.0")
    first = real_fleet.instances()[0].id
    with pytest.raises(Conflict, match=f"Rollout #{rollout_id} of root holds it. It asks the host at its end."):
        probes.ask(first, ADMIN)
    db.session.rollback()
    assert not fleet.instance(first).asked


def test_what_a_step_left_at_work_on_the_host_ends_before_the_host_is_asked(
    app: Flask, worker: Callable[[], subprocess.Popen[bytes]], real_fleet: Fleet
) -> None:
    rollout_id = real_fleet.start("1.4.0")
    drain(app)
    step = step_queries.steps(rollout_id)[0]
    root = str(real_fleet.home / "hosts" / "host-1" / "orders")
    command = fenced(Command(("sh", "-c", "echo begun; sleep 60"), 60), root, Fence(step.id, 1))
    with subprocess.Popen(command.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as left:
        assert left.stdout is not None and left.stdout.readline() == b"begun\n"
        worker()
        row = asked(step.instance_id)
        assert left.wait(timeout=5) == -signal.SIGKILL
    assert (row.evidence, row.version) == (Evidence.CONFIRMED, "1.4.0")
