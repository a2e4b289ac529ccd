"""What each page costs, with 10, 1,000 and 10,000 instances of a service.

    .venv/bin/python -m bench.pages [--quick]

On SQLite, in one process and without a network: CPU until the whole answer is there (the best of several times, as the
first byte leaves when the last one is known), how many such pages one core could make a second, statements, size.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import tempfile
import time
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from sqlalchemy import Engine, event, update

from bench.claim import console
from deployer.config import sqlite_url
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.domain.strategy import Strategy, WaveSize
from deployer.extensions import db
from deployer.models import Instance, claims
from deployer.operations import rollouts
from deployer.operations.transaction import transaction
from tests.conftest import Outsider
from tests.storm import Ground, prepare
from tests.web.conftest import Visitor
from tests.world import ADMIN

POLL = re.compile(r'id="poller" hx-get="([^"]+)"')
MOST_MS = 150.0  # of CPU for the page of a service with 1,000 instances


@dataclass(frozen=True)
class Cost:
    """Of one page: milliseconds of CPU, statements, bytes."""

    ms: float
    statements: int
    size: int


def cost(visitor: Visitor, path: str, times: int) -> Cost:
    """The least that it costs."""
    heard: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            heard.append(statement)

    best = float("inf")
    event.listen(Engine, "before_cursor_execute", hear)
    for _ in range(times):
        heard.clear()
        before = time.thread_time()
        answer = visitor.get(path)
        best = min(best, time.thread_time() - before)
        assert answer.status_code in (200, 204), path
    event.remove(Engine, "before_cursor_execute", hear)
    return Cost(best * 1000, len(heard), len(answer.data))


def touch(ground: Ground, hosts: list[int]) -> None:
    """Change the instances on these hosts."""
    with transaction() as session:
        rev = claims.bump(session(), ground.service)
        session.execute(update(Instance).where(Instance.host_id.in_(hosts)).values(weight=Instance.weight + 1, rev=rev))


def poll_of(visitor: Visitor, path: str) -> str:
    """Where the page polls."""
    found = POLL.search(visitor.get(path).text)
    assert found, path
    address = unescape(found[1])
    return address if "page=" in address else address + "&page=1"


def pages(visitor: Visitor, ground: Ground, rollout_id: int) -> dict[str, str]:
    """The pages by what they are."""
    service = f"/services/{ground.service}"
    return {
        "services": "/services",
        "a service": service,
        "its last page of instances": f"{service}?page=100000",
        "its instances by text": f"{service}/instances?q=9",
        "its failed instances": f"{service}/instances?status=failed",
        "its poll, nothing new": poll_of(visitor, service),
        "the dialog to upgrade": f"{service}/versions/{ground.source}/upgrade",
        "rollouts": "/rollouts",
        "a rollout of half of it": f"/rollouts/{rollout_id}",
        "its poll, nothing new ": poll_of(visitor, f"/rollouts/{rollout_id}"),
        "hosts": "/hosts",
        "a host": f"/hosts/{ground.hosts[0]}",
    }


def measure(home: Path, size: int, times: int) -> None:
    """Print what every page costs at this size."""
    home.mkdir()
    with console(home, sqlite_url(home / "pages.db")) as app:
        app.test_client_class = Outsider
        ground = prepare(size)
        half = HostChoice(everyone=False, ids=tuple(ground.hosts[: size // 2]))
        careful = Strategy(WaveSize(percent=10))
        command = StartRollout(ground.service, ground.source, Action.UPGRADE, ground.target, half, strategy=careful)
        rollout_id = rollouts.start(command, ADMIN).rollout_id
        db.session.remove()
        visitor = Visitor(app.test_client())
        visitor.sign_in()
        found = {name: cost(visitor, path, times) for name, path in pages(visitor, ground, rollout_id).items()}
        poll = poll_of(visitor, f"/services/{ground.service}")
        app.config["LIVE_SECONDS"] = 0.0  # what comes next is to be new
        touch(ground, ground.hosts[:10])
        found["a poll, ten rows new"] = cost(visitor, poll, 1)
        found["the same, shared"] = cost(visitor, poll, times)
    print(f"{size:,} instances")
    for name, one in found.items():
        print(
            f"  {name:27} | {one.ms:7.1f} ms | {1000 / one.ms:7.0f} pages/s | {one.statements:3} statements "
            f"| {one.size / 1000:7.1f} kB",
            flush=True,
        )
    if size == 1_000 and found["a service"].ms > MOST_MS:
        print(f"  The page of a service should take {MOST_MS:.0f} ms at most.")


def main() -> None:
    """Run it all and print it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="two sizes, fewer times")
    chosen = options.parse_args()
    logging.disable()
    busy = os.getloadavg()[0]
    if busy > 1:
        print(f"This machine is busy with other things (load {busy:.0f}): times say little now.")
    with tempfile.TemporaryDirectory() as home:
        for size in (10, 1_000) if chosen.quick else (10, 1_000, 10_000):
            measure(Path(home) / str(size), size, 3 if chosen.quick else 10)


if __name__ == "__main__":
    main()
