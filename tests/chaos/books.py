"""What the tables say, read past all of our own code, and what follows from it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.chaos.fleet import answer

STUCK_SECONDS = 60.0
STILL_SECONDS = 15.0  # a living worker moves its leases every ten seconds

LIVE = "SELECT id FROM rollout WHERE state NOT IN ('succeeded', 'failed', 'cancelled')"
HELD = """
    SELECT instance.id, instance.rollout_id, step.state, step.attempt, step.lease_until, step.worker
    FROM instance LEFT JOIN step ON step.rollout_id = instance.rollout_id AND step.instance_id = instance.id
    WHERE instance.rollout_id IS NOT NULL"""
TWICE_HELD = """
    SELECT instance_id, max(rollout_id) FROM step WHERE state IN ('queued', 'running')
    GROUP BY instance_id HAVING count(*) > 1"""
RECORDED = """
    SELECT instance.id, host.hostname, host.address, instance.port, version.label, instance.updated
    FROM instance JOIN host ON host.id = instance.host_id JOIN version ON version.id = instance.version_id
    WHERE instance.rollout_id IS NULL AND instance.evidence <> 'unverified'"""
TWICE_SETTLED = """
    SELECT noun_id, count(*) FROM audit_entry WHERE verb = 'settle' AND noun = 'step'
    GROUP BY noun_id HAVING count(*) > 1"""
TWICE_STARTED = "SELECT reason, count(*) FROM rollout GROUP BY reason HAVING count(*) > 1"
DONE_AT_ONCE = """
    SELECT step.id, host.hostname, version.label, step.started, step.finished
    FROM step JOIN instance ON instance.id = step.instance_id JOIN host ON host.id = instance.host_id
    JOIN version ON version.id = step.to_version_id
    WHERE step.state = 'succeeded' AND step.attempt = 1"""


@dataclass
class Strike:
    """One fault, and what was under way when it came."""

    began: float
    under_way: int  # rollouts that were live at that moment
    open: set[int]  # those of them that are not over
    what: str = ""
    seconds: float | None = None  # until all of them were
    judged: bool = False


@dataclass
class Findings:
    """What must not be, each with a text that tells which."""

    stuck: set[str] = field(default_factory=set)
    overlaps: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    untrue: set[str] = field(default_factory=set)

    @property
    def any(self) -> bool:
        """Whether there is anything."""
        return any(getattr(self, one.name) for one in fields(self))


class Books:
    """The tables of one town."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self._leases: dict[int, tuple[object, float]] = {}  # instance → what its step's lease was, and since when
        self.live: set[int] = set()  # rollouts that have not ended or hold an instance, at the last look
        self.strikes: list[Strike] = []
        self.found = Findings()

    def close(self) -> None:
        """Forget the connection."""
        self._engine.dispose()

    def ask(self, statement: str) -> list[Any]:
        """The rows of a query."""
        with self._engine.connect() as connection:
            return list(connection.execute(text(statement)))

    def begin(self) -> Strike:
        """A fault comes now."""
        strike = Strike(time.monotonic(), len(self.live), set(self.live))
        self.strikes.append(strike)
        return strike

    def look(self) -> None:
        """Note what moved since the last look, and judge what does not move any more."""
        try:
            held, live, twice = self.ask(HELD), self.ask(LIVE), self.ask(TWICE_HELD)
        except DBAPIError:
            return  # it is one of the faults
        now = time.monotonic()
        self.live = {row.id for row in live} | {row.rollout_id for row in held}
        for row in held:
            lease = (row.rollout_id, row.attempt, row.lease_until)
            if self._leases.get(row.id, (None,))[0] != lease:
                self._leases[row.id] = (lease, now)
        self.found.doubled |= {f"rollout {row[1]} and another one live on instance {row[0]}" for row in twice}
        for strike in self.strikes:
            if strike.seconds is not None:
                continue
            strike.open &= self.live
            if not strike.open:
                strike.seconds = now - strike.began
            elif not strike.judged and now - strike.began > STUCK_SECONDS:
                strike.judged = True
                self.found.stuck |= {
                    f"instance {row.id} by rollout {row.rollout_id}: step {row.state}, attempt {row.attempt}, "
                    f"lease {row.lease_until} of {row.worker or 'nobody'}"
                    for row in held
                    if row.rollout_id in strike.open and now - self._leases[row.id][1] > STILL_SECONDS
                }

    def compare(self) -> None:
        """Ask the service of every instance that nobody holds, before and after."""
        before = self.ask(RECORDED)
        answers = {row.id: answer(row.address, row.port) for row in before}
        after = set(self.ask(RECORDED))
        self.found.untrue |= {
            f"{row.label} is recorded on {row.hostname} since {row.updated}, but {answers[row.id]} answers"
            for row in before
            if row in after and row.label != answers[row.id]
        }


def seconds_of(moment: str | datetime) -> float:
    """A moment of the database; SQLite has texts without a zone."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return moment.timestamp()
