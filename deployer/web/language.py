"""In which language to answer."""

from __future__ import annotations

from flask import request

LANGUAGES = ("en", "zh")


def choose_language() -> str:
    """The browser's or the client's choice (``Accept-Language``), else English."""
    return request.accept_languages.best_match(LANGUAGES, "en")
