"""Small files that nobody but their owner can read, and that are never seen half written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def put(file: Path, text: str) -> None:
    """Let ``file`` have this text, whatever was there before. Raises OSError."""
    _written_beside(file, text).replace(file)


def make_once(file: Path, text: str) -> None:
    """The same, unless there is such a file: of several processes that come at the same time, all find the text of the
    same one. Raises OSError."""
    new = _written_beside(file, text)
    with contextlib.suppress(FileExistsError):
        file.hardlink_to(new)
    new.unlink()


def _written_beside(file: Path, text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # for its owner alone
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())
    return Path(name)
