"""A small fleet of real services, installed for real, with its rows in a real database."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from deployer import artifacts, embedded
from deployer.config import Settings
from deployer.demo.artifacts import build_artifact
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.recipe import HealthCheck, ReleaseRecipe
from deployer.domain.release import Task
from deployer.domain.status import Action, BuildStatus
from deployer.domain.strategy import AT_ONCE, Strategy
from deployer.extensions import db
from deployer.jobs.deploy import deploy
from deployer.jobs.journal import StepJournal
from deployer.models import Instance
from deployer.operations import catalog, fleet, rollouts
from deployer.operations.catalog import Build, NewService, NewVersion
from deployer.operations.fleet import NewHost, NewInstance
from deployer.remote.local import LocalRunner
from tests.loopback import free_port, own_address
from tests.world import ADMIN

ADDRESSES = (own_address(1), own_address(2))
VERSIONS = {"1.0.0": "ok", "1.1.0": "ok", "1.2.0": "unhealthy", "1.3.0": "crash", "1.4.0": "ok"}


@dataclass
class Fleet:
    """``orders`` runs 1.1.0 on two hosts."""

    home: Path
    port: int
    service: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    hosts: list[int] = field(default_factory=list)

    def install(self) -> None:
        recipe = ReleaseRecipe((sys.executable, "restart.py"), health=HealthCheck(timeout=2.0))
        self.service = catalog.add_service(NewService("orders", recipe), ADMIN)
        for label, behaviour in VERSIONS.items():
            built = build_artifact(self.home, "orders", label, behaviour)
            store = self.home / "artifacts"
            store.mkdir(exist_ok=True)
            shutil.copy(built.path, artifacts.path_of(store, built.sha256))
            build = Build(BuildStatus.SUCCESS, artifact_sha256=built.sha256)
            self.versions[label] = catalog.add_version(self.service, NewVersion(label, build), ADMIN)
        for number, address in enumerate(ADDRESSES, start=1):
            name = f"host-{number}"
            directory = self.home / "hosts" / name
            directory.mkdir(parents=True)
            archive = self.home / "orders-1.1.0.tar.gz"
            task = Task("orders", name, address, self.port, str(directory), None, "1.1.0", archive, None)
            outcome = asyncio.run(deploy(LocalRunner(address, str(directory)), recipe, task, StepJournal()))
            assert outcome.ok, outcome.reason
            host = fleet.add_host(NewHost(name, address, str(directory)), ADMIN)
            self.hosts.append(host)
            fleet.record_instance(self.service, NewInstance(host, self.versions["1.1.0"], self.port), ADMIN)

    def start(
        self,
        to: str,
        action: Action = Action.UPGRADE,
        hosts: HostChoice | None = None,
        *,
        source: str = "1.1.0",
        strategy: Strategy = AT_ONCE,
    ) -> int:
        command = StartRollout(
            self.service,
            self.versions[source],
            action,
            self.versions[to],
            hosts or HostChoice(everyone=True),
            strategy=strategy,
        )
        return rollouts.start(command, ADMIN).rollout_id

    def answers(self) -> list[str | None]:
        """What the services themselves say, asked without any of our own code."""
        return [_version(address, self.port) for address in ADDRESSES]

    def instances(self) -> list[Instance]:
        db.session.rollback()
        return list(db.session.execute(select(Instance).order_by(Instance.host_id)).scalars())


def _version(address: str, port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://{address}:{port}/version", timeout=5) as answer:
            return str(json.load(answer)["version"])
    except urllib.error.URLError:
        return None


@pytest.fixture
def real_fleet(app: Flask) -> Iterator[Fleet]:
    """Real processes; they end with the test, because their lifeline is cut."""
    home: Path = app.config["SETTINGS"].home
    os.mkfifo(home / "lifeline")
    writer = os.open(home / "lifeline", os.O_RDWR | os.O_CLOEXEC)
    try:
        found = Fleet(home, free_port(ADDRESSES[0]))
        found.install()
        yield found
    finally:
        os.close(writer)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, started as the product starts it."""
    home = tmp_path_factory.mktemp("redis")
    settings = Settings(
        home=home,
        database_url="sqlite://",
        redis_url=f"unix://{home / 'redis.sock'}",
        secret_key="0123456789abcdef" * 4,
        secure_cookies=False,
    )
    with embedded.running(settings):
        yield settings.redis_url
