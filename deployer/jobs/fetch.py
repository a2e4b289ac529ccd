"""Bring an artifact to the worker's store, once for all steps that want it, and only if it is what it should be."""

from __future__ import annotations

import asyncio
import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deployer import artifacts
from deployer.domain.errors import N_
from deployer.domain.network import NOTHING_MORE, Permitted
from deployer.remote import download
from deployer.remote.guarded import NotPermitted
from deployer.remote.text import clean

TIMEOUT = 30.0  # seconds for each wait on the network
DEADLINE = 600.0  # seconds for the whole of it


class FetchFailed(Exception):
    """The artifact is not to be had; the message says why and what to do."""


@dataclass(frozen=True)
class Store:
    """Where artifacts are kept, and from which addresses they may come."""

    directory: Path
    permitted: Permitted = NOTHING_MORE


@dataclass
class _Shared:
    """A download under way, and how many wait for it."""

    task: asyncio.Task[Path]
    waiting: int = 0


_under_way: dict[tuple[asyncio.AbstractEventLoop, str, str], _Shared] = {}


async def artifact(store: Store, sha256: str | None, url: str, deadline: float = DEADLINE) -> Path | None:
    """The artifact's file, fetched from ``url`` unless it is here already; None when the version has none.

    Raises :class:`FetchFailed`. All who want the same artifact at the same time wait for one download.
    """
    if sha256 is None:
        return None
    kept = artifacts.path_of(store.directory, sha256)
    if kept.is_file():
        return kept
    if not url:
        raise FetchFailed(
            N_("The uploaded artifact is not in this worker's store. Share DEPLOYER_HOME with the web process.")
        )
    key = (asyncio.get_running_loop(), sha256, url)
    shared = _under_way.get(key)
    if shared is None:
        shared = _under_way[key] = _Shared(asyncio.create_task(_download(store, sha256, url, deadline)))
    shared.waiting += 1
    try:
        return await asyncio.shield(shared.task)  # one who gives up must not end it for the others
    finally:
        shared.waiting -= 1
        if not shared.waiting:
            del _under_way[key]
            shared.task.cancel()  # changes nothing when it has ended


async def _download(store: Store, sha256: str, url: str, deadline: float) -> Path:
    stop = threading.Event()
    thread = ThreadPoolExecutor(1, "fetch")  # of its own: a server that never finishes its headers holds it for good
    try:
        async with asyncio.timeout(deadline):
            await asyncio.get_running_loop().run_in_executor(thread, _read, store, sha256, url, stop)
    except TimeoutError:
        raise FetchFailed(
            f"Fetching the artifact took longer than {deadline:g} s. Check the address and its server, then try again."
        ) from None
    finally:
        stop.set()
        thread.shutdown(wait=False)
    return artifacts.path_of(store.directory, sha256)


def _read(store: Store, sha256: str, url: str, stop: threading.Event) -> None:
    try:
        with download.opened(url, TIMEOUT, store.permitted.for_download) as answer:
            artifacts.store_stream(store.directory, _Stoppable(answer, stop), artifacts.MAX_BYTES, sha256)
    except artifacts.TooLarge:
        raise FetchFailed(N_("The artifact is larger than 2 GiB.")) from None
    except artifacts.WrongContent as wrong:
        raise FetchFailed(
            f"The artifact at its address has SHA-256 {wrong.found}, not the recorded one. It was thrown away; "
            "nothing reached the host."
        ) from None
    except NotPermitted as problem:
        raise FetchFailed(
            f"The artifact's address leads to {problem.address}, from where workers fetch nothing. Correct the "
            "address, or have an operator add it to DEPLOYER_ALLOWED_NETWORKS of the workers."
        ) from None
    except (OSError, ValueError, http.client.HTTPException) as problem:
        cause = clean(" ".join(str(problem).split())) or type(problem).__name__
        if isinstance(problem, http.client.HTTPException):
            cause = f"its server does not speak HTTP as it should ({cause})"
        raise FetchFailed(
            f"The artifact could not be fetched from its address: {cause}. "
            "Check the address and its server, then try again."
        ) from None


class _Stoppable:
    """An answer that is read as it arrives, and no further once nobody waits for it."""

    def __init__(self, answer: http.client.HTTPResponse, stop: threading.Event) -> None:
        self._answer = answer
        self._stop = stop

    def read(self, size: int, /) -> bytes:
        if self._stop.is_set():
            raise TimeoutError("nobody waits for it any more")
        chunk = self._answer.read1(size)
        if not chunk and self._answer.length:
            # Said here, because the sha256 of a part would only look like another artifact.
            raise ConnectionError(f"the connection ended {self._answer.length} bytes before the end")
        return chunk
