"""The envelope of every answer, and the list parameters of every list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import jsonify
from werkzeug.wrappers import Response

from deployer.queries.paging import MAX_LIMIT, Page, Slice
from deployer.web.parameters import read_number

LIST = ("page", "limit")  # what every list may be asked
MAX_PAGE = 1_000_000
USUAL_LIMIT = 50


def answer(data: Any, count: int | None = None, status: int = 200) -> Response:
    """``{"data": …, "count": n, "code": 0}``; ``count`` is the whole list's length, 1 for a single thing."""
    if count is None:
        count = len(data) if isinstance(data, list) else 1
    response = jsonify({"data": data, "count": count, "code": 0})
    response.status_code = status
    return response


def listed(page: Page[Any], one: Callable[[Any], dict[str, Any]]) -> Response:
    """A slice of a list, each row through ``one``."""
    return answer([one(row) for row in page.rows], page.count)


def when(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, or null."""
    return moment.isoformat() if moment else None


def read_slice() -> Slice:
    """``page`` (from 1) and ``limit`` of the query string."""
    return Slice(read_number("page", 1, MAX_PAGE), read_number("limit", USUAL_LIMIT, MAX_LIMIT))
