"""A console as it runs in production, on machines of its own: web, two workers, Redis, a database and a fleet, half of
whose hosts are reached by SSH."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from deployer import embedded
from deployer.app import create_app
from deployer.config import Settings
from deployer.demo.fleet import choose_place
from deployer.demo.home import lifeline
from deployer.extensions import db
from tests.chaos import door
from tests.chaos.books import Books
from tests.chaos.fleet import Fleet, settle
from tests.chaos.program import Program
from tests.demo.tree import MARK, Tree
from tests.loopback import free_port, own_address
from tests.postgres import Cluster
from tests.sshd import Sshd, missing_sshd

LOOK_SECONDS = 0.2
WORKERS = ("worker 1", "worker 2")
ENOUGH = threading.Event()  # set when somebody wants the end of all towns


class Stopped(Exception):
    """Somebody wants the end."""


@dataclass
class Town:
    """What was built. Everything happens in one thread, in :meth:`until`: ended processes are started again, the books
    are read, and what was asked for later is done."""

    home: Path
    app: Flask
    fleet: Fleet
    books: Books
    address: str
    cluster: Cluster | None
    sshd: Sshd | None
    keep: bool = False  # its directory, to find out what happened
    programs: dict[str, Program] = field(default_factory=dict)
    due: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Let time pass until the condition holds; False when it did not in time."""
        end = time.monotonic() + seconds
        while not condition():
            if ENOUGH.is_set():
                raise Stopped
            if time.monotonic() > end:
                return False
            time.sleep(LOOK_SECONDS)
            for moment in [one for one in self.due if one[0] <= time.monotonic()]:
                self.due.remove(moment)
                moment[1]()
            for program in self.programs.values():
                program.look()
            self.books.look()
        return True

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.until(lambda: False, seconds)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do it when so many seconds have passed."""
        self.due.append((time.monotonic() + seconds, action))

    def serves(self) -> bool:
        """Whether the web process answers."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/sign-in", timeout=5):
            return True
        return False


@contextlib.contextmanager
def built(database: str, size: int, seed: str) -> Iterator[Town]:
    """A town on ``sqlite`` or ``postgresql`` with so many hosts. It stands for the time of the block."""
    with contextlib.ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="deployer-chaos-"))
        cluster = stack.enter_context(Cluster()) if database == "postgresql" else None
        url = cluster.create("chaos") if cluster else f"sqlite:///{home / 'deployer.db'}"
        # Not where the embedded Redis would be: this one is looked after here and by nobody else.
        redis = home / "redis"
        settings = Settings(home, url, f"unix://{redis / 'socket'}", "0123456789abcdef" * 4, secure_cookies=False)
        environment = {
            "PATH": os.environ["PATH"],
            "DEPLOYER_HOME": str(home),
            "DATABASE_URL": url,
            "REDIS_URL": settings.redis_url,
            "SECRET_KEY": settings.secret_key,
            MARK: str(home),
        }
        deployer = [sys.executable, "-m", "deployer"]
        subprocess.run([*deployer, "db", "upgrade"], env=environment, stdout=subprocess.DEVNULL, check=True)
        stack.enter_context(lifeline(home, home / "hosts"))
        app = create_app(settings)
        addresses = choose_place()
        sshd = None if missing_sshd() else stack.enter_context(door.door(home, addresses, size))
        with app.app_context():
            fleet = settle(settings, addresses, size, sshd, seed)
            db.session.remove()
            db.engine.dispose()
        place = f"{own_address(1)}:{free_port(own_address(1))}"
        redis.mkdir()
        valkey = [embedded.find_server(), "--port", "0", "--unixsocket", "socket", "--appendonly", "yes", "--save", ""]
        argvs = {"redis": valkey, "web": [*deployer, "web", "--bind", place]}
        argvs |= {name: [*deployer, "worker"] for name in WORKERS}
        town = Town(home, app, fleet, Books(url), f"http://{place}", cluster, sshd)
        stack.callback(town.books.close)
        for name, argv in argvs.items():
            cwd = redis if name == "redis" else Path.cwd()
            town.programs[name] = Program(argv, home / f"{name}.log", environment, cwd)
            town.programs[name].start()
            stack.callback(town.programs[name].end)
        stack.callback(lambda: [town.programs[name].ask_to_end() for name in argvs if name != "redis"])
        assert town.until(town.serves, 60), (home / "web.log").read_text()
        yield town
    assert Tree(home, town.programs["web"].process).gone(), "something is left running"
    if not town.keep:
        shutil.rmtree(home)
