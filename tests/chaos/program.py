"""A process that is started again a second after it ended, as systemd would do it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer import lifetime

RESTART_SECONDS = 1.0
PATIENCE = 15.0


@dataclass
class Program:
    """How to start it, and the process. It dies with the thread that starts it."""

    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    cwd: Path
    away: float = RESTART_SECONDS  # how long it stays away when it ends the next time
    process: subprocess.Popen[bytes] | None = None
    ended: float = 0.0

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it, or start it again."""
        self.process = lifetime.spawn(self.argv, self.log, env=self.environment, cwd=self.cwd)
        self.ended, self.away = 0.0, RESTART_SECONDS

    def look(self) -> None:
        """Start it again when it has been away for long enough."""
        assert self.process is not None
        if self.process.poll() is None:
            return
        now = time.monotonic()
        self.ended = self.ended or now
        if now - self.ended >= self.away:
            self.start()

    def ask_to_end(self) -> None:
        """Let it begin to end."""
        send(self.pid, signal.SIGCONT)
        send(self.pid, signal.SIGTERM)

    def end(self) -> None:
        """End it for good."""
        assert self.process is not None
        lifetime.end(self.process, PATIENCE)


def send(pid: int, number: signal.Signals) -> None:
    """Send the signal, unless the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def state(pid: int) -> str:
    """The kernel's letter for what the process does, Z when there is none."""
    return _stat(pid)[0]


def children(pid: int) -> list[int]:
    """The living processes that ``pid`` started itself."""
    others = sorted(int(directory.name) for directory in Path("/proc").glob("[0-9]*"))
    return [one for one in others if _stat(one)[1] == str(pid) and _stat(one)[0] != "Z"]


def _stat(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ["Z", "0"]
