"""However much a step has said, to show the last of it takes little memory."""

from __future__ import annotations

import tracemalloc

from flask import Flask
from sqlalchemy import insert, select

from deployer.extensions import db
from deployer.models import Step, StepLog
from deployer.queries import steps
from deployer.queries.steps import LOG_LINES
from tests.operations import upgrades
from tests.world import World

BATCH = 100  # lines
BATCHES = 400
LINE = "x" * 500


def test_a_long_log_is_not_held_in_memory_to_show_its_end(app: Flask, world: World) -> None:
    rollout_id = upgrades.start(world)
    step_id = (
        db.session.execute(select(Step.id).where(Step.rollout_id == rollout_id).order_by(Step.id)).scalars().first()
    )
    batches = ("\n".join(f"{LINE} {number * BATCH + line}" for line in range(BATCH)) for number in range(BATCHES))
    db.session.execute(insert(StepLog), [{"step_id": step_id, "attempt": 1, "lines": text} for text in batches])
    db.session.commit()
    steps.steps(rollout_id)
    tracemalloc.start()
    found = next(row for row in steps.steps(rollout_id) if row.id == step_id)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(found.lines), found.cut) == (LOG_LINES, True)
    assert found.lines[-1] == f"{LINE} {BATCH * BATCHES - 1}"
    assert peak < BATCH * BATCHES * len(LINE) / 4
