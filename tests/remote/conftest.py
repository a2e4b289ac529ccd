"""What the tests of the host side share: hosts that are directories, real archives, and a journal to read back."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.demo.artifacts import build_artifact
from deployer.domain.recipe import HealthCheck, Probe, ReleaseRecipe
from deployer.domain.release import Task
from deployer.jobs.deploy import Fetch, Outcome, Phase, deploy
from deployer.remote import ssh_upload
from deployer.remote.local import LocalRunner
from tests.conftest import need
from tests.loopback import free_port, own_address
from tests.remote.ways import Way
from tests.sshd import Sshd, missing_sshd


class Notes:
    """A journal that keeps everything."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.lines: list[str] = []

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def line(self, text: str) -> None:
        self.lines.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


ADDRESS = own_address(1)
RECIPE = ReleaseRecipe(
    restart=(sys.executable, "restart.py"), health=HealthCheck(timeout=1.5), keep=5, restart_timeout=30
)


class Host:
    """One demo host with one service, and the deployments onto it."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.directory = home / "hosts" / "host-1"
        self.root = self.directory / "orders"
        self.runner = LocalRunner(ADDRESS, str(self.directory))
        self.running: str | None = None
        self.notes = Notes()
        self.recipe = RECIPE

    def task(self, version: str, behaviour: str = "ok") -> Task:
        artifact = build_artifact(self.home, "orders", version, behaviour)
        return Task(
            service="orders",
            hostname="host-1",
            address=ADDRESS,
            port=self.port,
            directory=str(self.directory),
            from_version=self.running,
            to_version=version,
            artifact=artifact.path,
            sha256=artifact.sha256,
        )

    def deploy(self, task: Task, fetch: Fetch | None = None) -> Outcome:
        self.notes = Notes()
        outcome = asyncio.run(deploy(self.runner, self.recipe, task, self.notes, fetch))
        self.running = outcome.running
        return outcome

    def run_nothing(self) -> None:
        """Releases without a process, for rules about files only."""
        none, version = HealthCheck("none", "", (), 1), Probe("command", "", ("cat", "VERSION"))
        self.recipe = ReleaseRecipe(("true",), none, version, keep=2)

    def install(self, version: str) -> None:
        assert self.deploy(self.task(version)) == Outcome(True, version, "", Phase.DONE)

    def version(self) -> str | None:
        """What the service itself answers, asked without any of our own code."""
        try:
            with urllib.request.urlopen(f"http://{ADDRESS}:{self.port}/version", timeout=5) as answer:
                return str(json.load(answer)["version"])
        except urllib.error.URLError:
            return None

    def pid(self) -> int:
        return int((self.root / "run" / "service.pid").read_text())

    def current(self) -> str:
        return str((self.root / "current").readlink())

    def releases(self) -> set[str]:
        return {path.name for path in (self.root / "releases").iterdir()}


@pytest.fixture
def host(home: Path, port: int) -> Host:
    return Host(home, port)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd that does what it should."""
    need(missing_sshd())
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def way(request: pytest.FixtureRequest) -> Way:
    """The local way, unless the test asks for another or for both."""
    return Way(request.getfixturevalue("sshd") if getattr(request, "param", "local") == "ssh" else None)


over_both = pytest.mark.parametrize("way", ["local", "ssh"], indirect=True)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From where on something was written."""
    offsets: list[int] = []
    write = ssh_upload._Upload._write

    async def noted(self: ssh_upload._Upload, file: object, offset: int) -> None:
        offsets.append(offset)
        await write(self, file, offset)  # type: ignore[arg-type]

    monkeypatch.setattr(ssh_upload._Upload, "_write", noted)
    return offsets


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A demo home: what is started below it ends with the test, because its lifeline is cut."""
    home = tmp_path / "home"
    (home / "hosts" / "host-1").mkdir(parents=True)
    os.mkfifo(home / "lifeline")
    writer = os.open(home / "lifeline", os.O_RDWR | os.O_CLOEXEC)
    yield home
    os.close(writer)


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The home of the worker's user, with an empty ~/.ssh."""
    home = tmp_path / "user"
    (home / ".ssh").mkdir(parents=True)
    return home


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    return free_port(ADDRESS)


def archive(path: Path, *members: tuple[str, bytes, str]) -> Path:
    """A .tar.gz of (name, type, content or link target), however hostile."""
    with tarfile.open(path, "w:gz") as file:
        for name, kind, value in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(value)
            else:
                info.linkname = value
            file.addfile(info, io.BytesIO(value.encode()) if kind == tarfile.REGTYPE else None)
    return path
