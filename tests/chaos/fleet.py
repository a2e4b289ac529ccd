"""The demo's real little services on hosts of the town, and what they say themselves."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from deployer import artifacts
from deployer.config import Settings
from deployer.demo.artifacts import build_artifact
from deployer.demo.fleet import Place
from deployer.demo.services import Installation, Spot, install
from deployer.domain.access import Role, Scope
from deployer.domain.recipe import HealthCheck, ReleaseRecipe
from deployer.domain.status import BuildStatus
from deployer.operations import catalog, fleet, people, tokens
from deployer.operations.catalog import Build, NewService, NewVersion
from deployer.operations.fleet import NewHost, NewInstance
from tests.chaos import door
from tests.sshd import Sshd
from tests.world import ADMIN, PASSWORD

SERVICE = "orders"
VERSIONS = {"1.0.0": "ok", "1.1.0": "ok", "1.2.0": "unhealthy", "1.3.0": "crash", "1.4.0": "ok"}
AT_FIRST = "1.1.0"


@dataclass(frozen=True)
class Fleet:
    """One service with ``versions`` (their ids, oldest first), and a token that may roll it out."""

    service: int
    versions: tuple[int, ...]
    token: str


def settle(settings: Settings, place: Place, size: int, sshd: Sshd | None, seed: str) -> Fleet:
    """Install the service on ``size`` hosts and describe it, in the current application's database. With an ``sshd``
    some of the hosts are reached through it."""
    evidence = settings.home / "evidence"
    evidence.mkdir()
    command = (sys.executable, str(Path(__file__).with_name("command.py")), str(evidence), seed)
    # Few are kept, so that releases are sent and unpacked again and again.
    recipe = ReleaseRecipe(command, health=HealthCheck(timeout=2.0), keep=2)
    service = catalog.add_service(NewService(SERVICE, recipe), ADMIN)
    versions, first, sha256 = {}, Path(), ""
    for label, behaviour in VERSIONS.items():
        built = build_artifact(settings.home, SERVICE, label, behaviour)
        with built.path.open("rb") as stream:
            artifacts.store_stream(settings.artifacts, stream, 1 << 20)
        if label == AT_FIRST:
            first, sha256 = built.path, built.sha256
        build = Build(BuildStatus.SUCCESS, artifact_sha256=built.sha256)
        versions[label] = catalog.add_version(service, NewVersion(label, build), ADMIN)
    port = min(place.ports.values())
    behind = door.hosts_behind(place, size) if sshd else {}
    if sshd:
        door.add_credential(sshd)
    installations = []
    for name, address in list(place.addresses.items())[:size]:
        directory = settings.home / "hosts" / name
        directory.mkdir(parents=True)
        if sshd and name in behind:
            host = door.add_host(sshd, name, address, directory)
        else:
            host = fleet.add_host(NewHost(name, address, str(directory)), ADMIN)
        fleet.record_instance(service, NewInstance(host, versions[AT_FIRST], port), ADMIN)
        spot = Spot(SERVICE, name, address, port, str(directory), recipe)
        installations.append(Installation(spot, AT_FIRST, first, sha256))
    problems = install(installations)
    assert not problems, problems
    people.create_user("ann", PASSWORD, Role.ADMINISTRATOR, "root")
    return Fleet(service, tuple(versions.values()), tokens.create_token("ann", "chaos", Scope.DEPLOY, "root"))


def answer(address: str, port: int) -> str | None:
    """The version that the service itself gives, asked without any of our own code."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}:{port}/version", timeout=5) as reply:
        return str(json.load(reply)["version"])
    return None
