"""Static files are asked for once: their address carries what is in them, so a browser may keep them for good."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, current_app, request
from werkzeug.wrappers import Response

LENGTH = 12  # hex digits: enough that no two contents of a file share them
FOR_GOOD = "public, max-age=31536000, immutable"


def init_app(app: Flask) -> None:
    """Give every address of a static file its version. One without, or with an old one, is asked for anew."""
    app.url_defaults(_with_version)
    app.after_request(_keep)


def _with_version(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and "filename" in values and (version := _version(values["filename"])):
        values.setdefault("v", version)


def _keep(response: Response) -> Response:
    if request.endpoint == "static" and response.status_code in (200, 206, 304):
        version = _version((request.view_args or {})["filename"])
        if version and request.args.getlist("v") == [version]:
            response.headers["Cache-Control"] = FOR_GOOD
    return response


def _version(filename: str) -> str:
    return _digest(current_app.static_folder or "", filename)


@cache
def _digest(folder: str, filename: str) -> str:
    """What is in the file, in a few letters; "" when there is none. Read once: who changes a file restarts the process,
    as for templates."""
    file = Path(folder, filename)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:LENGTH] if file.is_file() else ""
