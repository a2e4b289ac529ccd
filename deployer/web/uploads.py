"""Artifacts that come as files."""

from __future__ import annotations

from flask import current_app, request

from deployer import artifacts
from deployer.domain.errors import N_, Invalid

MAX_ARTIFACT = 2 * 1024**3  # bytes


def stored_artifact(field: str = "artifact") -> str | None:
    """Keep the file that came as ``field`` and return its sha256; None when none came. Call it before the form is read.

    The store names files by their content, so one that is kept for a form that is then refused changes nothing that
    anybody sees, and serves the corrected form.
    """
    if request.mimetype != "multipart/form-data":
        return None
    request.max_content_length = MAX_ARTIFACT
    files = request.files.getlist(field)
    others = [name for name in request.files if name != field]
    if others or len(files) > 1:
        raise Invalid(
            N_("The request has more files than one."), N_("Send one file, as %(field)s."), field, {"field": field}
        )
    if not files or not files[0].filename:
        return None
    try:
        return artifacts.store_stream(current_app.config["SETTINGS"].artifacts, files[0].stream, MAX_ARTIFACT)
    except artifacts.TooLarge:
        raise Invalid(N_("The artifact is too large."), N_("Send at most 2 GiB."), field) from None
