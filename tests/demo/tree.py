"""A running demo, and what of it is still alive."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployer import lifetime
from deployer.demo import machines

MARK = "DEPLOYER_TEST_TREE"
READY_SECONDS = 60


@dataclass
class Tree:
    """One start of the demo in ``home``."""

    home: Path
    process: subprocess.Popen[str]
    ready: dict[str, str] = field(default_factory=dict)
    extra: str = ""  # what stdout said beside the line that tells that it is ready
    seen: dict[int, str] = field(default_factory=dict)  # what was alive when it was ready, and since when

    @classmethod
    def plant(cls, home: Path, program: list[str] | None = None, cwd: Path | None = None, **env: str) -> Tree:
        """Start it; do not wait."""
        program = program or [sys.executable, "-m", "deployer"]
        process = subprocess.Popen(
            [*program, "demo", "--port", "0", "--home", str(home)],
            env={**os.environ, MARK: str(home), **env},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_as_from_a_terminal(),  # noqa: PLW1509 (it only calls the kernel)
        )
        return cls(home, process)

    @classmethod
    def grown(cls, home: Path, program: list[str] | None = None, cwd: Path | None = None, **env: str) -> Tree:
        """Start it and wait until it is ready."""
        tree = cls.plant(home, program, cwd, **env)
        assert tree.process.stdout is not None
        readable, _, _ = select.select([tree.process.stdout], [], [], READY_SECONDS)
        line = tree.process.stdout.readline() if readable else ""
        if not line:
            tree.fell()
            raise AssertionError(f"the demo did not start: {tree.process.communicate()[1]}")
        tree.ready = json.loads(line)
        tree.seen = {pid: began for pid in tree.alive() if (began := _began(pid))}
        return tree

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send the signal and wait for the end: exit status and what stderr said."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Wait for the end: exit status and what stderr said."""
        self.extra, said = self.process.communicate(timeout=30)
        return self.process.returncode, said

    def fell(self) -> None:
        """Whatever happens in a test, nothing of it stays."""
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(ValueError):
            self.process.communicate(timeout=10)

    def alive(self) -> dict[int, str]:
        """Every process that belongs to this home, with its command line. Redis writes over its environment."""
        found = {}
        for directory in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (directory / "cmdline").read_bytes()
                marked = f"{MARK}={self.home}\0".encode() in (directory / "environ").read_bytes()
                below = (directory / "cwd").readlink().is_relative_to(self.home)
                if command and (marked or below or os.fsencode(self.home / "hosts") in command):
                    found[int(directory.name)] = command.replace(b"\0", b" ").decode()
        return found

    def gone(self, seconds: float = 5) -> bool:
        """Whether everything has ended, soon."""
        until = time.monotonic() + seconds
        while (self.alive() or self.ending()) and time.monotonic() < until:
            time.sleep(0.05)
        return not self.alive() and not self.ending()

    def ending(self) -> list[int]:
        """Who is not over yet. A process that ends loses its command line first, and its ports only then."""
        return [pid for pid, began in self.seen.items() if _began(pid) == began]

    def pid_of(self, word: str) -> int:
        """The oldest process whose command line has ``word``."""
        return min(pid for pid, command in self.alive().items() if word in command)

    def open_ports(self) -> list[int]:
        """On which of the ports of the console and the hosts anything listens."""
        host, port = self.ready["url"].removeprefix("http://").split(":")
        places = [(host, int(port)), *((one.address, one.port) for one in machines.kept(self.home))]
        return [port for host, port in places if _is_open(host, port)]

    def call(self, path: str, data: dict[str, str] | None = None) -> Any:
        """The ``data`` that the API answers with."""
        body = None if data is None else json.dumps(data).encode()
        headers = {"Authorization": f"Bearer {self.ready['token']}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.ready['url']}/api/v1{path}", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def service(self, name: str) -> int:
        """The id of a service."""
        return next(int(one["id"]) for one in self.call("/services") if one["name"] == name)

    def version(self, service: str, label: str) -> int:
        """The id of a version."""
        versions = self.call(f"/services/{self.service(service)}/versions?limit=50")
        return next(int(one["id"]) for one in versions if one["version"] == label)

    def hosts(self) -> dict[str, dict[str, Any]]:
        """The hosts, as the API tells them, by name."""
        return {one["hostname"]: one for one in self.call("/hosts?limit=50")}

    def checked(self, hostname: str, seconds: float = 20) -> dict[str, Any]:
        """What a test of the connection to the host finds, as the API tells it."""
        host_id = self.hosts()[hostname]["id"]
        self.call(f"/hosts/{host_id}/check", {})
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = dict(self.call(f"/hosts/{host_id}")["check"])
            if found["asked_by"] is None:
                return found
            time.sleep(0.1)
        raise AssertionError(f"nobody has looked at {hostname}")

    def instances(self, service: str) -> list[dict[str, Any]]:
        """The instances of a service, as the API tells them."""
        return list(self.call(f"/services/{self.service(service)}/instances"))

    def roll_out(
        self, service: str, source: str, target: str, action: str = "upgrade", host: str = "all", **strategy: str
    ) -> int:
        """Start a rollout; its id."""
        place = f"/services/{self.service(service)}/versions/{self.version(service, source)}/{action}"
        accepted = self.call(place, {"dest_version": str(self.version(service, target)), "host": host, **strategy})
        return int(accepted["rollout_id"])

    def wait_for_rollout(self, rollout_id: int, seconds: float = 30) -> str:
        """How the rollout ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            state = str(self.call(f"/rollouts/{rollout_id}")["state"])
            if state in ("succeeded", "failed", "cancelled"):
                return state
            time.sleep(0.1)
        raise AssertionError(f"rollout {rollout_id} is still {state}")


def _is_open(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def _began(pid: int) -> str | None:
    """When the process was started, in the kernel's words; None when it has ended."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else rest[18]


def _as_from_a_terminal() -> Callable[[], None]:
    """It hears a hang-up even when the tests run under nohup, and does not outlive tests that were killed."""
    bond = lifetime.bond()

    def in_child() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        bond()

    return in_child


def told_version(instance: dict[str, Any]) -> str:
    """What the service itself answers."""
    address = instance["host"].split(":")[1]
    with urllib.request.urlopen(f"http://{address}:{instance['port']}/version", timeout=5) as answer:
        return str(json.loads(answer.read())["version"])
