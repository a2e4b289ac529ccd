"""What a request sends, form or JSON, as one text per field; anything that can be read two ways is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from deployer.domain.errors import N_, Invalid
from deployer.web.parameters import repeated, unknown

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# Sent beside the fields by our own pages, and not one of them.
BESIDES = frozenset({"csrf_token"})


def read_values(fields: Iterable[str], listed: Iterable[str] = ()) -> MultiDict[str, str]:
    """The fields of the request's body. Only those in ``listed`` may come more than once.

    Raises :class:`Invalid` for a field that is unknown, sent twice or neither a text nor a whole number, and for a body
    that is not what its content type says; UnsupportedMediaType for any other content type.
    """
    known, many = set(fields), set(listed)
    if request.mimetype in FORMS:
        pairs = [(name, value) for name in request.form for value in request.form.getlist(name)]
    elif request.mimetype == "application/json":
        pairs = [(name, _text(name, value)) for name, value in _json_object()]
    elif not request.mimetype and not request.content_length:
        pairs = []
    else:
        raise UnsupportedMediaType
    values: MultiDict[str, str] = MultiDict()
    for name, value in pairs:
        if name in BESIDES:
            continue
        if name not in known | many:
            raise unknown(known | many)
        if name in values and name not in many:
            raise repeated(name)
        values.add(name, value)
    return values


def _json_object() -> list[tuple[str, Any]]:
    try:
        # Pairs, not a dict: of a repeated key a dict would silently keep the last.
        found = json.loads(request.get_data(), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise Invalid(N_("The body is not valid JSON."), N_("Send one JSON object.")) from None
    if not isinstance(found, _Pairs):
        raise Invalid(N_("The body is not a JSON object."), N_("Send one JSON object."))
    return list(found)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written."""


def _text(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    raise Invalid(N_("A field has a value of the wrong kind."), N_("Send %(field)s as text."), field, {"field": field})
