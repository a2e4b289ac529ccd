"""The faults of one town, one after the other, and what was found in the end."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.books import DONE_AT_ONCE, TWICE_SETTLED, TWICE_STARTED, Findings, Strike, seconds_of
from tests.chaos.faults import Kind
from tests.chaos.fleet import SERVICE
from tests.chaos.load import Load
from tests.chaos.town import Town, built

HOSTS = 6
LIMIT_SECONDS = 22 * 60.0  # then no further fault comes
RECOVERY_SECONDS = 90.0  # then the next fault comes all the same
SINCE = time.monotonic()
MOMENTS = (0.0, 2.5)  # seconds between an accepted rollout and the fault


@dataclass(frozen=True)
class Result:
    """What became of one town."""

    title: str
    strikes: Sequence[Strike]
    found: Findings


def carry_out(database: str, title: str, kinds: Sequence[Kind], seed: str) -> Result:
    """Build a town, let it happen, and look after everything has become quiet."""
    dice = random.Random(seed)
    with built(database, HOSTS, seed) as town:
        load = Load(town.address, town.fleet, seed)
        load.start()
        try:
            limit = time.monotonic() + LIMIT_SECONDS
            for kind in kinds:
                for number in range(kind.count):
                    if time.monotonic() < limit:
                        _strike(town, load, kind, number, dice, f"{database}, {title} {number + 1}/{kind.count}")
        finally:
            load.stop()
        books = town.books
        town.until(lambda: not town.due and all(one.seconds is not None for one in books.strikes), RECOVERY_SECONDS)
        town.until(lambda: not books.live, RECOVERY_SECONDS)
        _tell(f"{database}, {title}: quiet")
        books.compare()
        _close(town, load.accepted)
        town.keep = books.found.any
        if town.keep:
            _tell(f"{database}, {title}: the logs are in {town.home}")
        return Result(title, books.strikes, books.found)


def _strike(town: Town, load: Load, kind: Kind, number: int, dice: random.Random, name: str) -> None:
    before = len(load.accepted)
    town.until(lambda: len(load.accepted) > before if kind.patient else town.books.live, 30)
    town.pause(dice.uniform(*MOMENTS) if kind.patient else dice.uniform(0, 0.5))
    town.until(lambda: town.books.live, 30)
    strike = town.books.begin()
    strike.what = kind.strike(town, dice, number)
    if kind.patient:
        town.until(lambda: strike.seconds is not None and not town.due, RECOVERY_SECONDS)
        town.books.compare()
    took = "" if strike.seconds is None else f": over after {strike.seconds:.1f} s"
    _tell(f"{name}: {strike.what}; {strike.under_way} rollouts under way{took}")


def _close(town: Town, accepted: list[int]) -> None:
    """Count what only the end can tell."""
    books, found = town.books, town.books.found
    known = {row.id for row in books.ask("SELECT id FROM rollout")}
    found.lost |= {f"rollout {one} was accepted and is not there" for one in accepted if one not in known}
    found.lost |= {f"rollout {one} does not end" for one in books.live}
    found.doubled |= {f"step {row[0]} was settled {row[1]} times" for row in books.ask(TWICE_SETTLED)}
    found.doubled |= {f"the request {row[0]} became {row[1]} rollouts" for row in books.ask(TWICE_STARTED)}
    evidence = town.home / "evidence"
    if (evidence / "overlaps").exists():
        found.overlaps |= set((evidence / "overlaps").read_text().splitlines())
    ran: dict[str, list[dict[str, float]]] = {}
    for row in books.ask(DONE_AT_ONCE):
        note = evidence / f"{SERVICE}@{row.hostname}.commands"
        if row.hostname not in ran:
            ran[row.hostname] = [json.loads(line) for line in note.read_text().splitlines()]
        begin, end = seconds_of(row.started), seconds_of(row.finished)
        times = sum(begin <= one["at"] <= end and one["version"] == row.label for one in ran[row.hostname])
        if times != 1:
            found.doubled.add(f"step {row.id} succeeded at once, but its command ran {times} times")


def _tell(text: str) -> None:
    sys.stderr.write(f"{time.monotonic() - SINCE:6.0f} s  {text}\n")
