"""The envelope of every answer, and the list parameters of every list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from flask import jsonify, request
from werkzeug.wrappers import Response

from deployer.domain.errors import N_, Invalid
from deployer.domain.ids import parse_id
from deployer.queries.paging import MAX_LIMIT, Page, Slice


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
    return Slice(_number("page", 1, 1_000_000), _number("limit", 50, MAX_LIMIT))


def read_id(name: str) -> int | None:
    """An optional id of the query string. Raises Invalid."""
    text = _one(name)
    if text == "":
        return None
    value = parse_id(text)
    if value is None:
        raise Invalid(N_("This is not an id."), N_("Send the id as a whole number, or leave it out."), name)
    return value


def read_flag(name: str) -> bool | None:
    """An optional 0 or 1 of the query string. Raises Invalid."""
    text = _one(name)
    if text not in ("", "0", "1"):
        raise Invalid(N_("This is neither 0 nor 1."), N_("Send 0 or 1, or leave it out."), name)
    return None if text == "" else text == "1"


def only(names: Iterable[str]) -> None:
    """Refuse query parameters that this call does not know: a misspelt filter must not silently widen a list."""
    known = set(names)
    for name in request.args:
        if name not in known:
            raise Invalid(
                N_("The request has a field that is not known here."),
                N_("Send only these fields: %(fields)s."),
                facts={"fields": ", ".join(sorted(known))},
            )


def _number(name: str, default: int, most: int) -> int:
    text = _one(name)
    if text == "":
        return default
    if re.fullmatch(r"[1-9][0-9]{0,6}", text, re.ASCII) and int(text) <= most:
        return int(text)
    raise Invalid(
        N_("This number is out of range."), N_("Send a whole number from 1 to %(high)s."), name, {"high": most}
    )


def _one(name: str) -> str:
    values = request.args.getlist(name)
    if len(values) > 1:
        raise Invalid(N_("A field was sent more than once."), N_("Send %(field)s once."), name, {"field": name})
    return values[0] if values else ""
