"""Artifacts that come as files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from flask import current_app, request

from deployer import artifacts
from deployer.domain.errors import N_, Invalid, Refused
from deployer.queries import catalog


@dataclass(frozen=True)
class Artifact:
    """A file that came with a form and is not kept yet."""

    sha256: str
    stream: IO[bytes]


def sent_artifact(field: str = "artifact") -> Artifact | None:
    """The file that came as ``field``; None when none came. Call it before the form is read: it raises the limit.

    Nothing is in the store yet: :func:`kept` puts it there, once the form has been judged.
    """
    if request.mimetype != "multipart/form-data":
        return None
    request.max_content_length = artifacts.MAX_BYTES
    files = request.files.getlist(field)
    others = [name for name in request.files if name != field]
    if others or len(files) > 1:
        raise Invalid(
            N_("The request has more files than one."), N_("Send one file, as %(field)s."), field, {"field": field}
        )
    if not files or not files[0].filename:
        return None
    stream = files[0].stream
    sha256 = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    stream.seek(0)
    return Artifact(sha256, stream)


@contextmanager
def kept(artifact: Artifact | None) -> Iterator[None]:
    """Store the file for what is done inside. When that is refused the file goes again, unless a version has it."""
    if artifact is None:
        yield
        return
    store = current_app.config["SETTINGS"].artifacts
    try:
        artifacts.store_stream(store, artifact.stream, artifacts.MAX_BYTES, expected=artifact.sha256)
    except artifacts.TooLarge:
        raise Invalid(N_("The artifact is too large."), N_("It may have at most 2 GiB."), "artifact") from None
    file = artifacts.path_of(store, artifact.sha256)
    ours = file.stat().st_ino
    try:
        yield
    except Refused:
        # Another upload of the same content would have put its own file in the place of ours.
        if not catalog.has_artifact(artifact.sha256) and file.stat().st_ino == ours:
            file.unlink()
        raise
