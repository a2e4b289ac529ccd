"""Where ``deployer web`` listens: checked before gunicorn starts, which would try again and end in a traceback."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
from pathlib import Path

import click

from deployer.config import MAX_SOCKET_PATH

_HOST_AND_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})")
_DESCRIPTOR = re.compile(r"[0-9]{1,9}")
_USAGE = "Give HOST:PORT with a port from 1 to 65535, unix:PATH, or fd://N."


def checked(_ctx: click.Context, _param: click.Parameter, address: str) -> str:
    """The address of ``--bind`` if it can be right: ``HOST:PORT``, ``unix:PATH``, or ``fd://N``."""
    if address.startswith("fd://"):
        problem = _descriptor_problem(address.removeprefix("fd://"))
    elif address.startswith("unix:"):
        problem = _path_problem(_path(address))
    else:
        problem = "" if _host_and_port(address) else f"{address!r} is not an address to listen on. {_USAGE}"
    if problem:
        raise click.BadParameter(problem)
    return address


def occupied(address: str) -> str:
    """Why nothing can listen on ``address`` now, "" when something can."""
    try:
        if address.startswith("unix:"):
            _try_path(_path(address))
        elif where := _host_and_port(address):
            _try_port(*where)
    except (OSError, UnicodeError) as problem:  # a name can be one that cannot even be looked up
        reason = getattr(problem, "strerror", None) or problem
        return f"{address} cannot be used: {reason}. Stop who listens there, or choose another one with --bind."
    return ""


def _host_and_port(address: str) -> tuple[str, int] | None:
    found = _HOST_AND_PORT.fullmatch(address)
    if found is None or not address.isascii() or not 1 <= int(found["port"]) <= 65535:
        return None
    if found["v6"]:
        try:
            ipaddress.IPv6Address(found["v6"])
        except ValueError:
            return None
    return found["v6"] or found["host"], int(found["port"])


def _try_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does: closing connections are no bar
        probe.bind((host, port))


def _path(address: str) -> str:
    return address.removeprefix("unix:").removeprefix("//")


def _path_problem(path: str) -> str:
    if not path or "\0" in path:
        return f"The path of the socket is missing. {_USAGE}"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        return f"The path of a socket has at most {MAX_SOCKET_PATH} bytes. Choose a shorter one."
    directory = Path(path).parent
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"No socket can be made in {directory}. Make this directory, or choose another one."
    if Path(path).exists() and not stat.S_ISSOCK(Path(path).stat().st_mode):
        return f"{path} is something else than a socket. Choose another path."
    return ""


def _try_path(path: str) -> None:
    """gunicorn would put its socket in the place of one on which somebody still listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(path) == 0:
            raise OSError(0, "Address already in use")


def _descriptor_problem(number: str) -> str:
    try:
        if _DESCRIPTOR.fullmatch(number) and _listens(int(number)):
            return ""
    except OSError:
        pass  # not open, or no socket
    return f"fd://{number} is no listening socket that this process was given. {_USAGE}"


def _listens(descriptor: int) -> bool:
    inherited = socket.socket(fileno=descriptor)
    try:
        return bool(inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    finally:
        inherited.detach()  # it stays open, for gunicorn
