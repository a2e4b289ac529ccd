"""Hosts that are directories of this machine: the demo's, and those of a set-up on a single machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from deployer import lifetime
from deployer.domain.network import Permitted
from deployer.domain.release import Command
from deployer.remote import guarded
from deployer.remote.output import Lines, Output
from deployer.remote.runner import (
    AddressNotPermitted,
    CommandResult,
    DirectoryMissing,
    ProgramMissing,
    RunnerError,
    Say,
    TimedOut,
    TransferFailed,
    Unreachable,
)

GRACE = 2.0  # seconds between TERM and KILL
LINGER = 0.5  # seconds that the output may stay open after the end of the process
COPY_CHUNK = 1 << 20


class LocalRunner:
    """The host that answers at ``address`` and lives in ``directory``."""

    def __init__(self, address: str, directory: str, permitted: Permitted | None = None) -> None:
        self._address = address
        self._directory = directory
        self._permitted = permitted or Permitted()

    async def run(self, command: Command, say: Say) -> CommandResult:
        """Run ``command`` in a session of its own, so that all of it can be ended at once."""
        output = Output(say)
        async with _Pipe(output.out) as out, _Pipe(output.err) as err:
            with _input(command) as stdin:
                process = await self._start(command, stdin, out.write_end, err.write_end)
                out.release()
                err.release()
                timed_out = await _ends_in_time(process, command.deadline)
            # A daemon that was started without an output of its own holds ours open for as long as it lives.
            _, held = await asyncio.wait([out.ended, err.ended], timeout=LINGER)
        output.finish()
        if held and not timed_out:
            say("A background process keeps the output of this command; start it with an output of its own.")
        if timed_out:
            say(f"The command was stopped: it took longer than {command.deadline:g} s.")
        return output.result(None if timed_out else _status(process), timed_out)

    async def put(self, source: Path, destination: str, deadline: float) -> None:
        """Copy ``source`` to ``destination``, which must lie in the host's directory."""
        if not PurePosixPath(destination).is_relative_to(self._directory):
            raise TransferFailed("The destination is not in the host's directory.")
        stop = threading.Event()  # a thread cannot be cancelled; it is told, and looks between two chunks
        try:
            async with asyncio.timeout(deadline):
                await asyncio.to_thread(_copy, source, Path(destination), stop)
        except TimeoutError:
            raise TimedOut("Copying the archive", deadline) from None
        except OSError as error:
            raise TransferFailed(f"The archive could not be copied: {error.strerror}.") from error
        finally:
            stop.set()

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to ``port`` at the host's address."""
        try:
            return await guarded.open_connection(self._address, port, self._permitted.for_host)
        except guarded.NotPermitted as error:
            raise AddressNotPermitted(error.address) from error
        except OSError as error:
            # asyncio's own text repeats the address as a tuple; the error number says the same in words.
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else "the address cannot be resolved"
            raise Unreachable(f"Port {port} does not take connections: {why}.") from error

    async def refusals(self) -> list[RunnerError]:
        """None: nothing stands between."""
        return []

    async def _start(self, command: Command, stdin: int, stdout: int, stderr: int) -> Process:
        # Nothing of our own environment goes along but the search path: it holds the worker's secrets.
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": self._directory, "LANG": "C.UTF-8", **command.env}
        cwd = command.cwd or "/"
        try:
            return await asyncio.create_subprocess_exec(
                *command.argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                env=env,
                start_new_session=True,
                preexec_fn=lifetime.bond(),
            )
        except OSError as error:
            if error.filename == cwd:
                raise DirectoryMissing(
                    f"The directory {cwd} cannot be used: {error.strerror}.", "The release has to be unpacked first."
                ) from error
            if isinstance(error, FileNotFoundError):
                raise ProgramMissing(command.argv[0]) from error
            raise RunnerError(f"The program {command.argv[0]} cannot be started: {error.strerror}.") from error


class _Pipe(asyncio.Protocol):
    """A pipe of our own instead of asyncio's: its end and the end of the process are two things that we await apart."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._transport: asyncio.ReadTransport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.write_end = -1

    async def __aenter__(self) -> _Pipe:
        read_end, self.write_end = os.pipe()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: self, os.fdopen(read_end, "rb", buffering=0)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()
        if self._transport is not None:
            self._transport.close()
        await self.ended

    def release(self) -> None:
        """Close our copy of the write end, so that the last process to hold it ends the pipe."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def data_received(self, data: bytes) -> None:
        self._lines.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


@contextlib.contextmanager
def _input(command: Command) -> Iterator[int]:
    """What ``command`` gets for its input. Nothing but this process, however it ends, holds a lifeline's other end."""
    if not command.lifeline:
        yield DEVNULL
        return
    read_end, write_end = os.pipe()
    try:
        yield read_end
    finally:
        os.close(write_end)
        os.close(read_end)


async def _ends_in_time(process: Process, deadline: float) -> bool:
    """Wait for the end of ``process``; end it ourselves at its deadline or when we are cancelled. Whether we had to."""
    try:
        async with asyncio.timeout(deadline):
            await process.wait()
        return False
    except TimeoutError:
        return True
    finally:
        if process.returncode is None:
            await _end_group(process)


async def _end_group(process: Process) -> None:
    """TERM, then KILL, to every process of the group, and not only to the one that we started."""
    group = process.pid  # it leads a session, so the numbers are the same
    try:
        _signal(group, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
    finally:
        _signal(group, signal.SIGKILL)
        await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _status(process: Process) -> int | None:
    """The exit status as a shell would give it: 128 + the signal that ended the process."""
    code = process.returncode
    return 128 - code if code is not None and code < 0 else code


def _copy(source: Path, destination: Path, stop: threading.Event) -> None:
    with source.open("rb") as read, destination.open("wb") as write:
        while not stop.is_set() and (chunk := read.read(COPY_CHUNK)):
            write.write(chunk)
