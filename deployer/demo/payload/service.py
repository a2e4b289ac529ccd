"""A small HTTP service: ``/`` and ``/version`` say what it is, ``/healthz`` whether it serves.

Started by restart.py with the number of the open lock file it has to keep; the file ``behaviour`` of its release lets
it misbehave. It ends when the demo that it belongs to ends, however that happens.
"""

from __future__ import annotations

import errno
import json
import os
import select
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RELEASE = Path(__file__).resolve().parent
ROOT = RELEASE.parent.parent
SERVICE = os.environ["DEPLOYER_SERVICE"]
VERSION = (RELEASE / "VERSION").read_text("utf-8").strip()
BEHAVIOUR = (RELEASE / "behaviour").read_text("utf-8").strip()


class Handler(BaseHTTPRequestHandler):
    """Three pages."""

    timeout = 10  # of a connection on which nobody asks anything

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == "/version":
            self._answer(200, json.dumps({"service": SERVICE, "version": VERSION}), "application/json")
        elif self.path == "/healthz":
            if BEHAVIOUR == "unhealthy":
                self._answer(500, "The connection pool is exhausted.\n")
            else:
                self._answer(200, "ok\n")
        elif self.path == "/":
            self._answer(200, f"{SERVICE} {VERSION}\n")
        else:
            self._answer(404, "Not found.\n")

    def _answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing: health checks would fill the log."""


def say(text: str) -> None:
    """Write a line to the log."""
    sys.stdout.write(f"{SERVICE} {VERSION}: {text}\n")
    sys.stdout.flush()


def find_lifeline() -> int | None:
    """The open FIFO ``lifeline`` of the nearest directory above that has one: the demo holds its other end."""
    for directory in ROOT.parents:
        path = directory / "lifeline"
        try:
            if stat.S_ISFIFO(path.stat().st_mode):
                return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
    return None


def is_cut(lifeline: int) -> bool:
    """Whether nobody holds the other end any more."""
    try:
        return os.read(lifeline, 4096) == b""
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EINTR)


def follow(lifeline: int) -> None:
    """End this process when the lifeline is cut. The time-out is for systems whose poll does not tell."""
    poll = select.poll()
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    while not is_cut(lifeline):
        poll.poll(1000)
    os._exit(0)


def main() -> None:
    """Serve until the end."""
    lock = int(sys.argv[1])
    os.set_inheritable(lock, False)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    lifeline = find_lifeline()
    if lifeline is not None:
        if is_cut(lifeline):
            say("the demo is not running, so this service ends.")
            return
        threading.Thread(target=follow, args=(lifeline,), daemon=True).start()
    if BEHAVIOUR == "crash":
        say("reading the configuration")
        raise RuntimeError("the setting PAYMENT_GATEWAY_URL is missing")
    address = (os.environ["DEPLOYER_ADDRESS"], int(os.environ["DEPLOYER_PORT"]))
    server = ThreadingHTTPServer(address, Handler)
    say(f"listening on {address[0]}:{address[1]}")
    server.serve_forever()


if __name__ == "__main__":
    main()
