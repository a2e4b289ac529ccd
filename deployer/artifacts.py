"""The store of artifacts: one file each, named by its sha256. What is in it is what its name says."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import IO

CHUNK = 1 << 20


class TooLarge(Exception):
    """The artifact is larger than the store takes."""


def path_of(store: Path, sha256: str) -> Path:
    """Where the artifact is, or would be."""
    return store / sha256


def store_stream(store: Path, stream: IO[bytes], limit: int) -> str:
    """Keep what ``stream`` holds (at most ``limit`` bytes) and return its sha256. Raises :class:`TooLarge`."""
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
            temporary.replace(path_of(store, digest.hexdigest()))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return digest.hexdigest()
