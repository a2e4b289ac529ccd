"""A host that runs one command at a time, and none of a worker that is no longer in charge."""

from __future__ import annotations

from asyncio import StreamReader, StreamWriter
from pathlib import Path

from deployer.domain import fence
from deployer.domain.fence import Fence
from deployer.domain.release import Command
from deployer.remote.runner import CommandResult, FencedOff, ProgramMissing, Runner, RunnerError, Say


class FencedRunner:
    """The host behind ``runner``: each command first ends what is left of earlier ones below ``root``."""

    def __init__(self, runner: Runner, root: str, mark: Fence) -> None:
        self._runner = runner
        self._root = root
        self._fence = mark

    async def run(self, command: Command, say: Say) -> CommandResult:
        """Run ``command`` alone. Raises :class:`FencedOff` when a later one was here, and runs nothing then."""
        words: dict[str, str] = {}

        def hear(line: str) -> None:
            found = fence.word(line)
            if found is None:
                say(line)
            else:
                words.update([found])

        result = await self._runner.run(fence.fenced(command, self._root, self._fence), hear)
        if result.exit_status == fence.MISSING and fence.PROGRAM in words:
            raise ProgramMissing(command.argv[0])
        if result.exit_status == fence.REFUSED and fence.LATER in words:
            raise FencedOff(words[fence.LATER])
        if result.exit_status == fence.REFUSED and fence.HOST in words:
            raise RunnerError(words[fence.HOST])
        return result

    async def put(self, source: Path, destination: str, deadline: float) -> None:
        """As the runner does it."""
        await self._runner.put(source, destination, deadline)

    async def connect(self, port: int) -> tuple[StreamReader, StreamWriter]:
        """As the runner does it."""
        return await self._runner.connect(port)

    async def refusals(self) -> list[RunnerError]:
        """As the runner does it."""
        return await self._runner.refusals()
