"""What every way of reaching a host can do, and how it fails."""

from __future__ import annotations

from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deployer.domain.errors import N_
from deployer.domain.release import Command
from deployer.remote.text import sentence

Say = Callable[[str], None]


@dataclass(frozen=True)
class CommandResult:
    """How a command ended. Only status 0 is success; None means that it was stopped or its end was not seen."""

    exit_status: int | None
    timed_out: bool
    output: str  # the last lines of everything it printed
    stdout: tuple[str, ...]  # the last lines of its standard output
    cut: bool = False  # whether lines were left out of what was said

    @property
    def ok(self) -> bool:
        """Whether the command did what it was asked."""
        return self.exit_status == 0

    @property
    def kind(self) -> str:
        """The name of its failure; nobody asks for that of a success."""
        if self.timed_out:
            return TimedOut.kind
        return N_("end not seen") if self.exit_status is None else N_("command failed")

    @property
    def failure(self) -> str:
        """How it failed, in one sentence, with the last line it said."""
        if self.timed_out:
            return "the command took too long and was stopped"
        if self.exit_status is None:
            return "the end of the command was not seen"
        last = next((line for line in reversed(self.output.splitlines()) if line.strip()), "")
        return f"the command ended with status {self.exit_status}" + (f": {last.strip()[:300]}" if last else "")


class Runner(Protocol):
    """One host, reached. Every method ends within its deadline; output is streamed as lines that are safe to keep."""

    async def run(self, command: Command, say: Say) -> CommandResult:
        """Run ``command`` and wait for its end; at its deadline, and on cancellation, end its whole process group."""
        ...

    async def put(self, source: Path, destination: str, deadline: float) -> None:
        """Copy the local file ``source`` to the path ``destination`` on the host."""
        ...

    async def connect(self, port: int) -> tuple[StreamReader, StreamWriter]:
        """A connection to ``port`` on the host. The caller sets the deadline and closes the writer."""
        ...

    async def refusals(self) -> list[RunnerError]:
        """Why ``put`` and ``connect`` would fail whatever they are asked for. Changes nothing on the host."""
        ...


class RunnerError(Exception):
    """Something between us and the end of a command went wrong; ``cause`` says what, ``remedy`` what to do."""

    kind = N_("failed")

    def __init__(self, cause: str, remedy: str = "") -> None:
        # A host that nobody knows yet may have had a say in it, and it goes to logs, databases and terminals.
        self.cause = sentence(cause)
        self.remedy = sentence(remedy)
        super().__init__(f"{self.cause} {self.remedy}".strip())

    def reword(self, word: Callable[[str], str]) -> None:
        """Say it in other words: ``word`` of the cause and of the remedy."""
        self.cause, self.remedy = word(self.cause), word(self.remedy)
        self.args = (f"{self.cause} {self.remedy}".strip(),)


class ProgramMissing(RunnerError):
    """The program of a command is not on the host."""

    kind = N_("program not found")

    def __init__(self, program: str) -> None:
        super().__init__(
            f"The program {program} is not on the host.",
            "Install it there, or write its absolute path in the recipe.",
        )


class FencedOff(RunnerError):
    """A later command was on the host; nothing was run."""

    kind = N_("fenced off")


class DirectoryMissing(RunnerError):
    """The directory a command should run in is not on the host."""

    kind = N_("directory not found")


class TimedOut(RunnerError):
    """A deadline passed. ``phase`` says what we were waiting for."""

    kind = N_("timed out")

    def __init__(self, phase: str, seconds: float, remedy: str = "") -> None:
        super().__init__(f"{phase} took longer than {seconds:g} s.", remedy)
        self.phase = phase


class Unreachable(RunnerError):
    """The host, or a port on it, does not take connections."""

    kind = N_("unreachable")


class Dropped(RunnerError):
    """The connection was lost after something had begun; how it ended is not known."""

    kind = N_("connection dropped")

    def __init__(self, host: str, what: str) -> None:
        super().__init__(
            f"The connection to {host} was lost while {what}.",
            "What had begun may have come to its end or not: the host is asked what really runs before anything else"
            " is done there.",
        )


class AddressNotPermitted(RunnerError):
    """The address is one that no host of a team has, such as the one where a cloud tells a machine its secrets."""

    kind = N_("address not permitted")

    def __init__(self, address: str) -> None:
        super().__init__(
            f"The host's address leads to {address}, where no host can be.",
            "Correct the address; if a host really is there, an operator adds it to DEPLOYER_ALLOWED_NETWORKS of the"
            " workers.",
        )


class BadAnswer(RunnerError):
    """Something answered that does not speak the expected protocol."""

    kind = N_("bad answer")


class TransferFailed(RunnerError):
    """A file did not arrive."""

    kind = N_("transfer failed")


class DiskFull(TransferFailed):
    """No room on the host."""

    kind = N_("disk full")
