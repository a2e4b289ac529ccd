"""Many clients who want overlapping hosts at the same moment."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from dataclasses import dataclass

from sqlalchemy import insert

from deployer.domain.access import Role, Scope
from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.status import BuildStatus, Evidence, InstanceStatus
from deployer.extensions import db
from deployer.models import Host, Instance
from deployer.operations import catalog, people, tokens
from deployer.operations.catalog import Build, NewService, NewVersion
from tests.server import HOST
from tests.world import ADMIN, PASSWORD


@dataclass(frozen=True)
class Ground:
    """A service whose first version runs on ``hosts``, and a second one to go to."""

    service: int
    source: int
    target: int
    hosts: list[int]
    token: str


@dataclass(frozen=True)
class Answer:
    """What one client got, and how long it took. ``asked`` are the hosts it wanted."""

    status: int
    body: dict[str, object]
    asked: tuple[int, ...]
    seconds: float


def prepare(hosts: int) -> Ground:
    """Fill the database of the current application."""
    service = catalog.add_service(NewService("orders", ReleaseRecipe(restart=("true",))), ADMIN)
    built = Build(BuildStatus.SUCCESS, "http://127.0.0.1/a.tgz", "0" * 64)
    source = catalog.add_version(service, NewVersion("1", built), ADMIN)
    target = catalog.add_version(service, NewVersion("2", built), ADMIN)
    names = [f"host-{number:05}" for number in range(1, hosts + 1)]
    rows = [{"hostname": name, "address": "127.0.0.1", "directory": f"/srv/{name}"} for name in names]
    db.session.execute(insert(Host), rows)
    ids = list(db.session.execute(db.select(Host.id).order_by(Host.id)).scalars())
    common = {
        "service_id": service,
        "version_id": source,
        "port": 8000,
        "status": InstanceStatus.RUNNING,
        "evidence": Evidence.RECORDED,
    }
    db.session.execute(insert(Instance), [common | {"host_id": host} for host in ids])
    db.session.commit()
    people.create_user("ann", PASSWORD, Role.ADMINISTRATOR, "root")
    return Ground(service, source, target, ids, tokens.create_token("ann", "storm", Scope.DEPLOY, "root"))


def overlapping(ground: Ground, groups: int, clients: int, seed: int = 1) -> list[tuple[int, ...]]:
    """A host set for each client: the sets of one group share its first host, those of two groups share none."""
    dice = random.Random(seed)
    size = len(ground.hosts) // groups
    parts = [ground.hosts[start * size : (start + 1) * size] for start in range(groups)]
    chosen = []
    for part in itertools.islice(itertools.cycle(parts), clients):
        others = dice.sample(part[1:], dice.randint(0, size - 1))
        mixed = [part[0], *others]
        dice.shuffle(mixed)
        chosen.append(tuple(mixed))
    return chosen


def storm(port: int, ground: Ground, wanted: list[tuple[int, ...]]) -> list[Answer]:
    """Every client connects, waits for the others, and posts at once."""
    start = threading.Barrier(len(wanted))
    answers: list[Answer] = []
    path = f"/api/v1/services/{ground.service}/versions/{ground.source}/upgrade"
    headers = {"Authorization": f"Bearer {ground.token}", "Content-Type": "application/json"}

    def client(hosts: tuple[int, ...]) -> None:
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        try:
            connection.connect()
            body = json.dumps({"dest_version": ground.target, "host": ",".join(map(str, hosts))})
            start.wait(30)
            began = time.perf_counter()
            connection.request("POST", path, body, headers)
            got = connection.getresponse()
            text = got.read()
            answers.append(Answer(got.status, json.loads(text), hosts, time.perf_counter() - began))
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(hosts,)) for hosts in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
