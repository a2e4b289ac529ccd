"""One command on an open connection: started, heard, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import signal

import asyncssh
from asyncssh.constants import EXTENDED_DATA_STDERR

from deployer.domain.release import Command
from deployer.remote import ssh_script
from deployer.remote.output import Lines, Output
from deployer.remote.runner import CommandResult, DirectoryMissing, Dropped, ProgramMissing, RunnerError, Say, TimedOut
from deployer.remote.ssh_failures import not_started, session_refused
from deployer.remote.ssh_stream import to_the_end
from deployer.remote.ssh_target import SshTarget
from deployer.remote.text import clean

GRACE = 2.0  # seconds between TERM and KILL
LINGER = 0.5  # seconds that the output may stay open, and silent, after the end of the process
LONGEST_LINGER = 10.0  # the same, and not silent
KILL_SECONDS = 2.0  # how long the end of what was killed is waited for
_START_FILES = "Look at its start files there (such as .bashrc): they must come to their end, and begin no other shell."
LONGEST_MARK = 4_096  # bytes of the line of the mark
NOISE = 500  # bytes kept of what a login shell says before the command begins


_PID = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


class _Heard:
    """One stream: what comes before the line of the mark is not the command's."""

    def __init__(self, lines: Lines, mark: str) -> None:
        self._lines = lines
        self._mark = mark.encode()
        self._before = b""
        self.noise = b""
        self.words: list[str] | None = None  # of the line of the mark, once it came

    def feed(self, data: bytes) -> None:
        if self.words is not None:
            self._lines.feed(data)
            return
        self.noise = (self.noise + data)[:NOISE]
        before, found, after = (self._before + data).partition(self._mark)
        if not found:
            self._before = before[-len(self._mark) :]
            return
        line, ended, rest = after.partition(b"\n")
        if not ended:
            # The line of the mark is short, and written at once: what is longer was not written by us.
            self._before = found + after if len(after) <= LONGEST_MARK else b""
            return
        self.words = line.decode("utf-8", "replace").split(maxsplit=1)
        self._before = b""
        if rest:
            self._lines.feed(rest)


class _Session(asyncssh.SSHClientSession[bytes]):
    """What asyncssh tells of the remote process."""

    def __init__(self, output: Output, mark: str) -> None:
        self.out = _Heard(output.out, mark)
        self.err = _Heard(output.err, mark)
        self.status: int | None = None
        self.exited = asyncio.Event()  # its status is known, or never will be
        self.closed = asyncio.Event()  # and nothing more will be heard
        self.heard = 0  # chunks

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self.heard += 1
        (self.err if datatype == EXTENDED_DATA_STDERR else self.out).feed(data)

    def exit_status_received(self, status: int) -> None:
        self.status = status
        self.exited.set()

    def exit_signal_received(self, signal_name: str, core_dumped: bool, msg: str, lang: str) -> None:
        number = getattr(signal, f"SIG{signal_name}", 0)
        self.status = 128 + number
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.exited.set()
        self.closed.set()

    @property
    def group(self) -> int | None:
        """The process group of the command, once it has begun."""
        words = self.out.words or []
        return int(words[1]) if words[:1] == [ssh_script.READY] and _PID.fullmatch(" ".join(words[1:])) else None


async def run(
    connection: asyncssh.SSHClientConnection, target: SshTarget, user: str, command: Command, say: Say
) -> CommandResult:
    """Run ``command`` and wait for its end; at its deadline, and when we are cancelled, end its process group."""
    mark = f"deployer-{secrets.token_hex(8)}"
    begin = ssh_script.begin(command, mark)
    output = Output(say)
    session = _Session(output, mark)
    try:
        async with asyncio.timeout(command.deadline):
            channel = await _opened(connection, session, target)
    except TimeoutError:
        raise TimedOut(f"Opening a session on {target.name}", command.deadline) from None
    try:
        with contextlib.suppress(BrokenPipeError):  # it has ended already, and says so
            channel.write(begin)
        timed_out = await _ends_in_time(connection, channel, session, command.deadline)
        held = not timed_out and not await _falls_silent(session)
    finally:
        channel.abort()
    output.finish()
    if session.status is None and not timed_out:
        raise Dropped(target.name, "a command ran there")
    if session.out.words is None:
        if timed_out:
            raise TimedOut(f"Waiting for the login shell of {user} on {target.name}", command.deadline, _START_FILES)
        raise not_started(target, user, _said(session), session.status)
    if session.group is None:
        raise _not_run(command, session.out.words)
    if held:
        say("A background process keeps the output of this command; start it with an output of its own.")
    if timed_out:
        say(f"The command was stopped: it took longer than {command.deadline:g} s.")
    return output.result(None if timed_out else session.status, timed_out)


async def greeting(connection: asyncssh.SSHClientConnection, target: SshTarget) -> str:
    """What the login shell prints before it runs a command. Raises :class:`RunnerError`, ``asyncssh.Error``,
    ``OSError``; the caller sets the deadline."""
    mark = f"deployer-{secrets.token_hex(8)}"
    session = _Session(Output(lambda _line: None), mark)
    channel = await _opened(connection, session, target)
    try:
        channel.write(ssh_script.begin(Command(("true",), LINGER), mark))
        await session.exited.wait()
    finally:
        channel.abort()
    return _text(session.out.noise.partition(mark.encode())[0])


async def _opened(
    connection: asyncssh.SSHClientConnection, session: asyncssh.SSHClientSession[bytes], target: SshTarget
) -> asyncssh.SSHClientChannel[bytes]:
    try:
        channel, _ = await to_the_end(connection.create_session(lambda: session, ssh_script.LINE, encoding=None))
    except asyncssh.ChannelOpenError as error:
        if connection.is_closed():
            raise Dropped(target.name, "a session was opened") from error
        raise session_refused(target, error) from error
    except (asyncssh.Error, OSError) as error:
        raise Dropped(target.name, "a session was opened") from error
    return channel


async def _ends_in_time(
    connection: asyncssh.SSHClientConnection,
    channel: asyncssh.SSHClientChannel[bytes],
    session: _Session,
    deadline: float,
) -> bool:
    """Wait for the end of the command; end it ourselves at its deadline or when we are cancelled. Whether we had to."""
    try:
        async with asyncio.timeout(deadline):
            await session.exited.wait()
        return False
    except TimeoutError:
        return True
    finally:
        if not session.exited.is_set():
            await _end(connection, channel, session)


async def _end(
    connection: asyncssh.SSHClientConnection, channel: asyncssh.SSHClientChannel[bytes], session: _Session
) -> None:
    """End the whole process group, first by a second session, then by the end of its input, which its guard sees."""
    if session.group is None:
        # We know of nothing that has begun. What does so yet finds its input at its end, for the channel is closed
        # right after this, and its guard ends it.
        return
    told = False
    with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
        async with asyncio.timeout(GRACE + 1):
            await _tell_to_end(connection, session.group)
            told = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILL_SECONDS):
            if not session.exited.is_set() and not told:
                channel.write_eof()
            await session.exited.wait()


async def _tell_to_end(connection: asyncssh.SSHClientConnection, group: int) -> None:
    """TERM, KILL for what is left after a while; returns when that is done. Raises ``asyncssh.Error``."""
    ender = _Session(Output(lambda _line: None), "-")
    channel, _ = await to_the_end(connection.create_session(lambda: ender, ssh_script.LINE, encoding=None))
    try:
        channel.write(ssh_script.end(group, GRACE))
        await ender.exited.wait()
    finally:
        channel.abort()


async def _falls_silent(session: _Session) -> bool:
    """Wait for the end of the output. False when something else holds it open: a daemon that was started without an
    output of its own does that for as long as it lives."""
    now = asyncio.get_running_loop().time
    until = now() + LONGEST_LINGER
    heard = -1
    while heard != session.heard and now() < until:
        heard = session.heard
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await session.closed.wait()
                return True
    return False


def _said(session: _Session) -> str:
    return _text(session.err.noise + b" " + session.out.noise).rstrip(".")


def _text(noise: bytes) -> str:
    return clean(" ".join(noise.decode("utf-8", "replace").split()))[:300]


def _not_run(command: Command, words: list[str]) -> RunnerError:
    reason, why = words[0], words[1] if len(words) > 1 else ""
    if reason == ssh_script.PROGRAM:
        return ProgramMissing(command.argv[0])
    if reason == ssh_script.DIRECTORY:
        return DirectoryMissing(
            f"The directory {command.cwd or '/'} cannot be used: {why}.", "The release has to be unpacked first."
        )
    return RunnerError(f"The program {command.argv[0]} cannot be started: {why}.")
