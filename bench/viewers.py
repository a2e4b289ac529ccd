"""Many viewers of one page, in a process of their own: each keeps a connection and polls as a browser would.

    python -m bench.viewers --host H --port P --path /services/1 --viewers 100 --seconds 20 --cookies FILE [--every 2]

Without ``--every`` they follow the page's poller; with it they get ``--path`` again and again. Prints one line of JSON:
for each answer with something new the revisions before and after it and when it was there; the bytes received.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import time
from html import unescape
from pathlib import Path

POLLER = re.compile(rb'id="poller" hx-get="([^"]+)" hx-trigger="every (\d+)ms')
REV = re.compile(rb"since=(\d+)")
MORE = "&page=1&q=&version_id=&status=&locked="  # what the page's filter adds
AT_ONCE = 8  # pages that are opened at the same time
READY = "ready"


class Viewer:
    """One person's page."""

    def __init__(self, host: str, port: int, path: str, cookie: str) -> None:
        self.where = host, port
        self.path = path
        self.head = f"Host: {host}:{port}\r\nCookie: {cookie}\r\nAccept-Language: en\r\nHX-Request: true\r\n\r\n"
        self.rev = 0
        self.received = 0
        self.polls = 0
        self.failed = 0
        self.events: list[tuple[int, int, float]] = []
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> bytes:
        """The body of the answer; b"" when nothing has changed."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(*self.where, limit=1 << 22)
        reader, writer = self.streams
        try:
            writer.write(f"GET {path} HTTP/1.1\r\n{self.head}".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            assert status in (200, 204), head
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length and status == 200 else b""
        except (OSError, EOFError):
            writer.close()
            self.streams = None
            raise
        if b"connection: close" in head.lower():
            writer.close()
            self.streams = None
        self.received += len(head) + len(body)
        self.polls += 1
        return body

    def read(self, body: bytes) -> bool:
        """Take note of the revision that the answer brings."""
        found = REV.search(body)
        if found is None:
            return False
        rev, before = int(found[1]), self.rev
        self.rev = rev
        if before and rev > before:
            self.events.append((before, rev, time.monotonic()))
        return True

    async def open(self, door: asyncio.Semaphore) -> None:
        """Have the page for the first time."""
        async with door:
            while not await self.patiently(self.path):  # the server is busy with the others
                pass
        self.received = self.polls = self.failed = 0
        self.events.clear()

    async def follow(self, until: float) -> None:
        """Poll as often as the server says."""
        every, poll = self.next or (3.0, self.path)
        await asyncio.sleep(random.uniform(0, every))
        await self.patiently(poll + MORE)  # what has happened while the others opened their pages
        self.events.clear()
        every, poll = self.next or (every, poll)
        while time.monotonic() < until:
            if await self.patiently(poll + MORE):
                every, poll = self.next or (every, poll)
            await asyncio.sleep(every)

    async def reload(self, until: float, every: float) -> None:
        """Get the whole table again and again."""
        await asyncio.sleep(random.uniform(0, every))
        while time.monotonic() < until:
            await self.patiently(self.path)
            await asyncio.sleep(every)

    async def patiently(self, path: str) -> bool:
        """As :meth:`get`, and take note; a connection that was refused or lost is no answer."""
        try:
            body = await self.get(path)
        except (OSError, EOFError):
            self.failed += 1
            return False
        if found := POLLER.search(body):
            self.next = int(found[2]) / 1000, unescape(found[1].decode())
        return self.read(body)

    next: tuple[float, str] | None = None


async def look(options: argparse.Namespace) -> list[Viewer]:
    """Everybody opens the page; then all of them look for so many seconds."""
    cookies = options.cookies.read_text().split("\n")
    viewers = [
        Viewer(options.host, options.port, options.path, cookies[n % len(cookies)]) for n in range(options.viewers)
    ]
    door = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(viewer.open(door) for viewer in viewers))
    print(READY, flush=True)
    until = time.monotonic() + options.seconds
    tasks = [viewer.reload(until, options.every) if options.every else viewer.follow(until) for viewer in viewers]
    with contextlib.suppress(TimeoutError):  # what has not come by then is missing in what is told
        await asyncio.wait_for(asyncio.gather(*tasks), options.seconds + 10)
    return viewers


def main() -> None:
    """Look, and print what was seen."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--host", required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--path", required=True)
    options.add_argument("--viewers", type=int, required=True)
    options.add_argument("--seconds", type=float, required=True)
    options.add_argument("--cookies", type=Path, required=True)
    options.add_argument("--every", type=float)
    viewers = asyncio.run(look(options.parse_args()))
    events = [event for viewer in viewers for event in viewer.events]
    told = {"polls": sum(viewer.polls for viewer in viewers), "failed": sum(viewer.failed for viewer in viewers)}
    print(json.dumps({"events": events, "received": sum(viewer.received for viewer in viewers), **told}))


if __name__ == "__main__":
    main()
