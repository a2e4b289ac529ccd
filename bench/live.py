"""What an open page costs, and how soon it shows a change.

    .venv/bin/python -m bench.live [--quick] [--only sqlite|postgresql]

A service on 1,000 hosts, changed 10 times a second, under gunicorn (2 processes × 8 threads); 100, 500 and 1,000
viewers. In one run, one after the other: the console's own page; the same table of 100 rows polled as a whole every
2 s; and all 1,000 rows polled as a whole every 2 s, which is how such consoles are usually built. Latency is from the
commit to the last byte of the answer that has it; CPU is that of all server processes; bytes are those that a viewer
receives. Last, one real Chromium among 100 viewers: from the commit to the change in the document.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from sqlalchemy import update

from bench.claim import console
from bench.viewers import READY
from deployer.config import sqlite_url
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.extensions import db
from deployer.models import Instance, claims
from deployer.operations import rollouts
from deployer.operations.transaction import transaction
from tests.browser.chromium import find_chromium, launched
from tests.conftest import Outsider
from tests.postgres import Cluster, missing_postgres
from tests.server import HOST, Server
from tests.storm import Ground, prepare
from tests.web.conftest import Visitor
from tests.world import ADMIN

SESSIONS = 10
VISIBLE = 3  # every so manieth change is of a host on the first page
DOM = """() => {
  const weights = () => [...document.querySelectorAll("#instances td:nth-child(8)")].map((cell) => cell.textContent);
  const known = new Set(weights());
  window.seen = [];
  new MutationObserver(() => {
    const now = performance.timeOrigin + performance.now();
    for (const weight of weights()) {
      if (known.has(weight)) continue;
      known.add(weight);
      window.seen.push([Number(weight), now]);
    }
  }).observe(document.getElementById("instances"), { subtree: true, childList: true, characterData: true });
}"""


@dataclass
class Mover:
    """Changes an instance ``rate`` times a second while the block runs, and remembers when."""

    app: Flask
    ground: Ground
    rate: float
    monotonic: dict[int, float] = field(default_factory=dict)  # revision → when its transaction was committed
    clock: dict[int, float] = field(default_factory=dict)  # weight → the same by the clock, in milliseconds

    def __enter__(self) -> Mover:
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._move)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _move(self) -> None:
        with self.app.app_context():
            hosts = self.ground.hosts
            number, due = 1000, time.monotonic()
            while not self._ends.is_set():
                number += 1
                among = hosts[1:100] if number % VISIBLE == 0 else hosts[100:]
                with transaction() as session:
                    rev = claims.bump(session(), self.ground.service)
                    changed = update(Instance).where(Instance.host_id == among[number * 7919 % len(among)])
                    session.execute(changed.values(weight=number, rev=rev))
                self.monotonic[rev], self.clock[number] = time.monotonic(), time.time() * 1000
                due += 1 / self.rate
                self._ends.wait(max(0.0, due - time.monotonic()))
            db.session.remove()


@dataclass(frozen=True)
class Seen:
    """What one kind of page did in one run. Latencies in milliseconds, CPU in cores, bytes a second for each viewer: of
    a table that is polled as a whole, what it would be if the server kept up."""

    p50: float
    p95: float
    cores: float
    bytes_each: float
    polls: float
    failed: int


def cpu_of(tree: int) -> float:
    """Seconds of CPU that a process and its children have used."""
    children = Path(f"/proc/{tree}/task/{tree}/children").read_text().split()
    used = 0.0
    for process in (str(tree), *children):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def cookies(app: Flask) -> str:
    """Some signed-in people's cookies, one a line."""
    app.test_client_class = Outsider
    lines = []
    for _ in range(SESSIONS):
        visitor = Visitor(app.test_client())
        assert visitor.sign_in().status_code == 303
        found = visitor.client.get_cookie("deployer")
        assert found is not None
        lines.append(f"deployer={found.value}")
    return "\n".join(lines)


def look(server: Server, mover: Mover, path: str, viewers: int, seconds: float, every: float | None = None) -> Seen:
    """Have so many viewers look for so long."""
    options = [
        "--host",
        HOST,
        "--port",
        str(server.port),
        "--path",
        path,
        "--viewers",
        str(viewers),
        "--seconds",
        str(seconds),
    ]
    options += ["--cookies", str(server.settings.home / "cookies"), *(["--every", str(every)] if every else [])]
    argv = [sys.executable, "-m", "bench.viewers", *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline().strip() == READY
        before, began = cpu_of(server.process.pid), time.monotonic()
        told = json.loads(run.stdout.readline())
        passed = time.monotonic() - began
        cores = (cpu_of(server.process.pid) - before) / passed
    times = [
        (there - mover.monotonic[rev]) * 1000
        for since, now, there in told["events"]
        for rev in range(since + 1, now + 1)
        if rev in mover.monotonic
    ]
    cuts = statistics.quantiles(times, n=20) if len(times) > 1 else [float("nan")] * 19
    each = told["received"] / (told["polls"] * every if every else viewers * passed)
    return Seen(cuts[9], cuts[18], cores, each, told["polls"] / passed, told["failed"])


def compare(server: Server, mover: Mover, service: int, viewers: int, seconds: float) -> Seen:
    """Print the three kinds of page beside each other."""
    kinds = {
        "changed rows": (f"/services/{service}", None),
        "100 rows every 2 s": (f"/whole/{service}/100", 2.0),
        "all rows every 2 s": (f"/whole/{service}/1000", 2.0),
    }
    found = {name: look(server, mover, path, viewers, seconds, every) for name, (path, every) in kinds.items()}
    for name, one in found.items():
        print(
            f"  {viewers:5} viewers, {name:18} | p50 {one.p50:6.0f} ms, p95 {one.p95:6.0f} ms | {one.cores:5.2f} cores "
            f"| {one.bytes_each / 1000:7.1f} kB/s each | {one.polls:6.1f} polls/s"
            f" of {viewers / (kinds[name][1] or 0.5):.0f}" + (f" | {one.failed} failed" if one.failed else ""),
            flush=True,
        )
    ours, whole = found["changed rows"], found["all rows every 2 s"]
    print(
        f"  {'':5} against all rows: {whole.bytes_each / ours.bytes_each:.0f}× fewer bytes, p50 "
        f"{whole.p50 / ours.p50:.1f}× lower, {whole.cores / ours.cores:.1f}× less CPU"
    )
    return ours


def in_chromium(server: Server, mover: Mover, service: int, viewers: int, seconds: float) -> None:
    """Print how soon a change is in the document of a real browser, among other viewers."""
    others = threading.Thread(target=lambda: look(server, mover, f"/services/{service}", viewers, seconds + 5))
    with launched() as browser:
        name, _, value = (server.settings.home / "cookies").read_text().split("\n")[0].partition("=")
        context = browser.new_context()
        context.add_cookies([{"name": name, "value": value, "url": server.address}])
        page = context.new_page()
        page.goto(f"{server.address}/services/{service}")
        others.start()
        page.wait_for_timeout(3000)
        page.evaluate(DOM)
        before, began = cpu_of(server.process.pid), time.monotonic()
        page.wait_for_timeout(seconds * 1000)
        cores = (cpu_of(server.process.pid) - before) / (time.monotonic() - began)
        seen = page.evaluate("() => window.seen")
        context.close()
    others.join()
    times = [now - mover.clock[number] for number, now in seen if number in mover.clock]
    cuts = statistics.quantiles(times, n=20)
    print(
        f"  {viewers:5} viewers and a Chromium: commit → document p50 {cuts[9]:.0f} ms, p95 {cuts[18]:.0f} ms "
        f"({len(times)} changes), {cores:.2f} cores"
    )


@contextlib.contextmanager
def served(home: Path, database_url: str) -> Iterator[tuple[Server, Mover, int]]:
    """A console under gunicorn whose service changes all the time."""
    home.mkdir(exist_ok=True)
    with console(home, database_url) as app:
        ground = prepare(1_000)
        held = HostChoice(everyone=False, ids=(ground.hosts[0],))  # no worker takes it: something moves all the time
        rollouts.start(StartRollout(ground.service, ground.source, Action.UPGRADE, ground.target, held), ADMIN)
        (home / "cookies").write_text(cookies(app))
        db.session.remove()
        server = Server(app.config["SETTINGS"], workers=2, threads=8, program="bench.whole:create_app()")
        with server, Mover(app, ground, rate=10) as mover:
            yield server, mover, ground.service


def main() -> None:
    """Run it all and print it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a small version, in a minute")
    options.add_argument("--only", choices=["sqlite", "postgresql"])
    chosen = options.parse_args()
    counts, seconds = ((20, 50), 8.0) if chosen.quick else ((100, 500, 1_000), 30.0)
    busy = os.getloadavg()[0]
    if busy > 1:
        print(f"This machine is busy with other things (load {busy:.0f}): latencies say little now.")
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {"SQLite": sqlite_url(home / "live.db")}
        missing = missing_postgres()
        if missing:
            print(f"PostgreSQL left out: {missing}")
        elif chosen.only != "sqlite":
            databases["PostgreSQL"] = stack.enter_context(Cluster()).create("live")
        if chosen.only == "postgresql":
            del databases["SQLite"]
        for name, url in databases.items():
            print(f"{name}: 1,000 instances, 10 changes a second", flush=True)
            with served(home / name, url) as (server, mover, service):
                for viewers in counts:
                    compare(server, mover, service, viewers, seconds)
                if find_chromium():
                    in_chromium(server, mover, service, counts[0], max(20.0, seconds))


if __name__ == "__main__":
    main()
