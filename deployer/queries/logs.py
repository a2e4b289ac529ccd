"""What all hosts of a rollout said, in the order in which it was written down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from deployer.extensions import db
from deployer.models import Host, Instance, Step, StepLog

MERGED_LINES = 500  # of all hosts, the newest


@dataclass(frozen=True)
class LogLine:
    """One line: when it was written down (lines come in batches), which host said it, what."""

    at: datetime
    step_id: int
    hostname: str
    text: str


def merged(rollout_id: int) -> list[LogLine]:
    """The newest lines of a rollout's hosts, the oldest of them first."""
    query = (
        select(StepLog.at, StepLog.step_id, Host.hostname, StepLog.lines)
        .join(Step, Step.id == StepLog.step_id)
        .join(Instance, Instance.id == Step.instance_id)
        .join(Host, Host.id == Instance.host_id)
        .where(Step.rollout_id == rollout_id)
        .order_by(StepLog.id.desc())
        .limit(MERGED_LINES)  # batches, of at least a line each
    )
    found: list[LogLine] = []
    for at, step_id, hostname, text in db.session.execute(query):
        found += [LogLine(at, step_id, hostname, line) for line in reversed(text.split("\n"))]
        if len(found) >= MERGED_LINES:
            break
    return found[MERGED_LINES - 1 :: -1]
