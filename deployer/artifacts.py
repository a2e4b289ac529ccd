"""The store of artifacts: one file each, named by its sha256. What is in it is what its name says."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 20
MAX_BYTES = 2 * 1024**3  # of one artifact, however it comes: uploaded, fetched or named on the command line


class Readable(Protocol):
    """What a file, an upload or an answer from the network has in common."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


class TooLarge(Exception):
    """The artifact is larger than the store takes."""


class WrongContent(Exception):
    """The stream is not what was expected; ``found`` is the sha256 that it has. Nothing was stored."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


def path_of(store: Path, sha256: str) -> Path:
    """Where the artifact is, or would be."""
    return store / sha256


def store_stream(store: Path, stream: Readable, limit: int, expected: str | None = None) -> str:
    """Keep what ``stream`` holds (at most ``limit`` bytes) and return its sha256.

    Raises :class:`TooLarge`, or :class:`WrongContent` when it is not ``expected``; then the store is as it was.
    """
    store.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    size = 0
    with tempfile.NamedTemporaryFile(dir=store, prefix="incoming-", delete=False) as new:
        temporary = Path(new.name)
        try:
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise TooLarge
                digest.update(chunk)
                new.write(chunk)
            new.flush()
            found = digest.hexdigest()
            if expected is not None and found != expected:
                raise WrongContent(found)
            temporary.replace(path_of(store, found))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return found
