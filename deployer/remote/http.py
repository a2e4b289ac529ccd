"""One HTTP GET over a runner's connection, so that a health check takes the same way to the host as everything else."""

from __future__ import annotations

import asyncio
import contextlib
import re
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass

from deployer.remote.runner import BadAnswer, Runner, TimedOut, Unreachable

MAX_BODY = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})(?: |\r|\Z)")
_CHUNK_SIZE = re.compile(rb"\s*([0-9A-Fa-f]{1,8})\s*(?:;.*)?\r?\n", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """A status and the first 64 KiB of the body."""

    status: int
    body: str

    @property
    def ok(self) -> bool:
        """Whether the status is one of the 2xx."""
        return 200 <= self.status < 300


async def get(runner: Runner, address: str, port: int, path: str, deadline: float) -> Answer:
    """``GET path`` from ``port`` of the host, all of it within ``deadline`` seconds. No redirect is followed."""
    phase = "Connecting"
    writer: StreamWriter | None = None
    try:
        async with asyncio.timeout(deadline):
            reader, writer = await runner.connect(port)
            phase = f"Sending GET {path}"
            host = f"[{address}]" if ":" in address else address
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode("ascii"))
            await writer.drain()
            phase = f"Waiting for the answer to GET {path}"
            status, headers = await _read_head(reader)
            phase = f"Reading the answer to GET {path}"
            return Answer(status, (await _read_body(reader, headers)).decode("utf-8", "replace"))
    except TimeoutError:
        raise TimedOut(phase, deadline) from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise BadAnswer(f"Port {port} gave no complete HTTP answer to GET {path}.") from error
    except OSError as error:
        raise Unreachable(f"The connection to port {port} was lost.") from error
    finally:
        if writer is not None:
            await close(writer)


async def _read_head(reader: StreamReader) -> tuple[int, dict[bytes, bytes]]:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        found = _STATUS.match(first)
        if found is None:
            raise ValueError("no HTTP status line")
        status = int(found[1])
        if status >= 200:  # below it, the real answer is still to come
            pairs = (line.partition(b":") for line in lines)
            return status, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_body(reader: StreamReader, headers: dict[bytes, bytes]) -> bytes:
    if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
        return await _read_chunks(reader)
    length = headers.get(b"content-length")
    if length is not None:
        return await reader.readexactly(min(int(length), MAX_BODY))
    body = b""
    while len(body) < MAX_BODY and (data := await reader.read(MAX_BODY - len(body))):
        body += data
    return body


async def _read_chunks(reader: StreamReader) -> bytes:
    body = b""
    while len(body) < MAX_BODY:
        found = _CHUNK_SIZE.fullmatch(await reader.readuntil(b"\n"))
        if found is None:
            raise ValueError("no chunk size")
        size = int(found[1], 16)
        if size == 0:
            break
        body += await reader.readexactly(min(size, MAX_BODY - len(body)))
        if len(body) < MAX_BODY:
            await reader.readexactly(2)  # the line end after the chunk
    return body


async def close(writer: StreamWriter) -> None:
    """Close ``writer`` and see it closed, without waiting for a peer that does not read."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()
