"""Replace the running process of this service by one of this release. Runs in the release's directory.

``<root>/run/service.pid`` is locked by the service for as long as it lives, and holds its process id. A process is only
ever signalled when it has this very file open: whatever else the file may say, it is the service. The lock is handed
from here to the new process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

RELEASE = Path(__file__).resolve().parent
ROOT = RELEASE.parent.parent
ADDRESS = (os.environ["DEPLOYER_ADDRESS"], int(os.environ["DEPLOYER_PORT"]))
PATIENCE = 5.0  # seconds for each of: ending the old process, a free port, an answer of the new process
LOG_LIMIT = 1_000_000  # bytes, then a new log is begun
LAST_LINES = 20


def say(text: str) -> None:
    """Write a line for the deployment's log."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fail(text: str) -> None:
    """Write the reason and end."""
    sys.stderr.write(text + "\n")
    sys.exit(1)


def locks(file: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holds(pid: int, file: int) -> bool:
    """Whether the process is another one that has the open ``file`` open too."""
    if pid == os.getpid():
        return False
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed since
                if os.path.samestat(descriptor.stat(), os.fstat(file)):
                    return True
    return False


def stop_old(file: int) -> None:
    """End the process that holds the lock, if there is one, and take the lock over."""
    started = time.monotonic()
    stopped = False
    while not locks(file):
        waited = time.monotonic() - started
        if waited > 2 * PATIENCE:
            if stopped:
                fail("The old process does not end.")
            fail("run/service.pid does not name the process that holds its lock; end that process, then try again.")
        pid = os.pread(file, 32, 0).strip()
        if pid.isdigit() and holds(int(pid), file):
            if not stopped:
                say(f"Stopping process {int(pid)}.")
            stopped = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL if waited > PATIENCE else signal.SIGTERM)
        time.sleep(0.05)
    os.ftruncate(file, 0)  # from here on, no old pid can be taken for the new process's


def wait_for_port() -> None:
    """Wait until the port is free: a process lets go of its lock a moment before its port."""
    until = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(ADDRESS)
            except OSError as error:
                if time.monotonic() > until:
                    fail(f"Port {ADDRESS[1]} of {ADDRESS[0]} cannot be used: {error.strerror}.")
            else:
                return
        time.sleep(0.05)


def answers() -> bool:
    """Whether the port takes connections."""
    with contextlib.suppress(OSError), socket.create_connection(ADDRESS, timeout=1):
        return True
    return False


def main() -> None:
    """Stop the old, start the new, and watch it until it listens."""
    for name in ("run", "log"):
        (ROOT / name).mkdir(exist_ok=True)
    file = os.open(ROOT / "run" / "service.pid", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    stop_old(file)
    wait_for_port()
    log = ROOT / "log" / "service.log"
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        begin = output.tell()
        service = subprocess.Popen(
            [sys.executable, str(RELEASE / "service.py"), str(file)],
            cwd=RELEASE,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(file,),
        )
    until = time.monotonic() + PATIENCE
    while service.poll() is None and not answers() and time.monotonic() < until:
        time.sleep(0.05)
    if service.poll() is None:
        say(f"Started process {service.pid}.")
        return
    with log.open("rb") as written:
        written.seek(begin)
        lines = written.read().decode("utf-8", "replace").splitlines()
    fail("\n".join([*lines[-LAST_LINES:], f"The service ended at once, with status {service.returncode}."]))


if __name__ == "__main__":
    main()
