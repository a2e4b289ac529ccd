"""The SSH servers of the demo's hosts, all in one process: ``python -m deployer.demo.sshd HOME DESCRIPTOR…``.

Each is a host's own: its address, its key, its directory. Whoever has the demo's key may run commands there, as the
user of the demo, transfer files, and connect to ports of the host's address. What runs ends with its connection; and
when this process is killed, the kernel closes its input and kills what it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path

import asyncssh

from deployer import lifetime
from deployer.demo.machines import USER, Machine, accepted_key_file, host_key_file, kept

LOGIN_SECONDS = 10
KEEPALIVE_SECONDS = 5
GRACE = 2.0  # seconds between HUP and KILL for what runs when its connection ends
LINGER = 2.0  # seconds that the output may stay open after the end of the process


class Door(asyncssh.SSHServer):
    """One connection to the host at ``address``: who may come in, and where they may connect to."""

    def __init__(self, address: str, accepted: asyncssh.SSHKey) -> None:
        self._address = address
        self._accepted = accepted

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.public_data == self._accepted.public_data

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return dest_host == self._address


async def run(directory: str, process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Run the command that was sent, as a login shell does."""
    if process.command is None:
        process.stderr.write(b"The demo's hosts run commands only.\n")
        process.exit(1)
        return
    pipes = [os.pipe() for _ in range(3)]
    (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = pipes
    try:
        child = await _started(process.command, directory, (stdin, stdout, stderr))
    except OSError as error:
        for end in (to_stdin, from_stdout, from_stderr):
            os.close(end)
        process.stderr.write(f"{directory} cannot be entered: {error.strerror}.\n".encode())
        process.exit(1)
        return
    finally:
        for end in (stdin, stdout, stderr):
            os.close(end)
    await process.redirect(to_stdin, from_stdout, from_stderr, send_eof=False)
    await _until_the_end(child, process)


async def _started(command: str, directory: str, streams: tuple[int, int, int]) -> Process:
    stdin, stdout, stderr = streams
    return await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=directory,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": directory,
            "USER": USER,
            "LOGNAME": USER,
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
        },
        start_new_session=True,
        preexec_fn=lifetime.bond(),
    )


async def _until_the_end(child: Process, process: asyncssh.SSHServerProcess[bytes]) -> None:
    exited = asyncio.ensure_future(child.wait())
    hung_up = asyncio.ensure_future(process.channel.wait_closed())
    await asyncio.wait([exited, hung_up], return_when=asyncio.FIRST_COMPLETED)
    if exited.done():
        await _say_how_it_ended(exited.result(), process)
    else:
        await _hang_up(child)
    await process.wait_closed()


async def _say_how_it_ended(status: int, process: asyncssh.SSHServerProcess[bytes]) -> None:
    with contextlib.suppress(TimeoutError):  # a daemon that was started without an output of its own holds ours open
        async with asyncio.timeout(LINGER):
            await process.stdout.drain()
            await process.stderr.drain()
    process.exit(128 - status if status < 0 else status)  # of a signal, as a shell says it


async def _hang_up(child: Process) -> None:
    """HUP, then KILL, to the whole group. Its input has ended already."""
    _signal(child.pid, signal.SIGHUP)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await child.wait()
    _signal(child.pid, signal.SIGKILL)
    await child.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


async def serve(home: Path, machines: list[Machine], sockets: list[socket.socket]) -> None:
    """Serve until this process is ended."""
    accepted = asyncssh.read_public_key(accepted_key_file(home))
    for machine, listener in zip(machines, sockets, strict=True):
        await asyncssh.create_server(
            functools.partial(Door, machine.address, accepted),
            sock=listener,
            server_host_keys=[asyncssh.read_private_key(host_key_file(home, machine.directory))],
            process_factory=functools.partial(run, machine.directory),
            sftp_factory=True,
            encoding=None,
            line_editor=False,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=KEEPALIVE_SECONDS,
        )
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    home_, *descriptors = sys.argv[1:]
    inherited = [socket.socket(fileno=int(number)) for number in descriptors]
    asyncio.run(serve(Path(home_), kept(Path(home_)), inherited))
