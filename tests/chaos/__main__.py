"""Kill, stop and cut off what a console consists of, while it works, and count what must not be.

    .venv/bin/python -m tests.chaos [--seed N] [--database sqlite|postgresql] [--short] [--only KIND] [--count N]

Each kind of fault has a town of its own: gunicorn, two workers, a Redis, a database and six hosts with real services,
half of them behind a real sshd, on which somebody upgrades and reverts without a pause. With ``--short`` a handful of
all kinds comes over one town. The exit status is 1 when something was found.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

from tests.chaos.books import Findings
from tests.chaos.campaign import Result, carry_out
from tests.chaos.faults import KINDS, Kind
from tests.chaos.town import ENOUGH
from tests.postgres import missing_postgres

SHORT = {"stop": 1, "kill": 5, "redis": 1, "postgres": 1, "ssh": 3, "doorbell": 5}
HEADINGS = ("stuck", "overlaps", "lost", "doubled", "rec.≠run.")
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def main() -> int:
    """Do it all and print a table for each database."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--database", choices=list(TITLES))
    options.add_argument("--short", action="store_true")
    options.add_argument("--only", choices=list(KINDS))
    options.add_argument("--count", type=int, help="how many of each kind")
    chosen = options.parse_args()
    logging.disable()  # every doorbell that nobody hears would say so
    clean = True
    for database in [chosen.database] if chosen.database else TITLES:
        missing = missing_postgres() if database == "postgresql" else None
        if missing:
            print(f"PostgreSQL left out: {missing}")
            continue
        results = run(database, towns(database, chosen), chosen.seed)
        print_table(TITLES[database], results)
        clean = clean and not any(one.found.any for one in results)
    return 0 if clean else 1


def towns(database: str, chosen: argparse.Namespace) -> dict[str, list[Kind]]:
    """Which kinds come over which town."""
    kinds = {
        name: replace(kind, count=chosen.count or (SHORT[name] if chosen.short else kind.count))
        for name, kind in KINDS.items()
        if chosen.only in (None, name) and (name != "postgres" or database == "postgresql")
    }
    if chosen.short:
        return {"all at once": [replace(kinds[name], patient=False) for name in SHORT if name in kinds]}
    return {kind.title: [kind] for kind in kinds.values()}


def run(database: str, kinds: dict[str, list[Kind]], seed: int) -> list[Result]:
    """All towns of a database at the same time."""
    with ThreadPoolExecutor(len(kinds)) as pool:
        futures = [pool.submit(carry_out, database, title, some, f"{seed} {title}") for title, some in kinds.items()]
        try:
            return [future.result() for future in futures]
        except BaseException:
            ENOUGH.set()
            raise


def print_table(title: str, results: Sequence[Result]) -> None:
    """A row for each town and one for all; then what was found, in words."""
    print(f"{title:<19} runs {' '.join(f'{one:>9}' for one in HEADINGS)}   p95 s   max s")
    for result in results:
        print_row(result.title, [result])
    if len(results) > 1:
        print_row("total", results)
    for result in results:
        for field in fields(Findings):
            for text in sorted(getattr(result.found, field.name)):
                print(f"  {result.title}: {field.name}: {text}")


def print_row(title: str, results: Sequence[Result]) -> None:
    """One line of the table."""
    seconds = sorted(strike.seconds or math.inf for result in results for strike in result.strikes)
    counts = [sum(len(getattr(one.found, field.name)) for one in results) for field in fields(Findings)]
    p95 = seconds[math.ceil(0.95 * len(seconds)) - 1]
    columns = " ".join(f"{count:9}" for count in counts)
    print(f"{title:<19} {len(seconds):4} {columns} {p95:7.1f} {seconds[-1]:7.1f}", flush=True)


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
