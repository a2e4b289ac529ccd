"""The parameters of a request outside its form's fields, for pages and API alike: strict, and each at most once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flask import request

from deployer.domain.errors import N_, Invalid
from deployer.domain.ids import parse_id

NO_FIELDS = N_("Send none: this call takes no fields.")


def read_one(name: str) -> str:
    """An optional text; "" when it did not come. Raises Invalid when it came twice."""
    values = request.values.getlist(name)
    if len(values) > 1:
        raise repeated(name)
    return values[0] if values else ""


def read_id(name: str) -> int | None:
    """An optional id. Raises Invalid."""
    text = read_one(name)
    if text == "":
        return None
    value = parse_id(text)
    if value is None:
        raise Invalid(N_("This is not an id."), N_("Give the id as a whole number, or leave it out."), name)
    return value


def read_flag(name: str) -> bool | None:
    """An optional 0 or 1. Raises Invalid."""
    text = read_one(name)
    if text not in ("", "0", "1"):
        raise Invalid(N_("This is neither 0 nor 1."), N_("Give 0 or 1, or leave it out."), name)
    return None if text == "" else text == "1"


def read_number(name: str, default: int, most: int) -> int:
    """An optional whole number from 1 to ``most``. Raises Invalid."""
    text = read_one(name)
    if text == "":
        return default
    if re.fullmatch(r"[1-9][0-9]{0,6}", text, re.ASCII) and int(text) <= most:
        return int(text)
    raise Invalid(
        N_("This number is out of range."), N_("Give a whole number from 1 to %(high)s."), name, {"high": most}
    )


def only(*names: str) -> None:
    """Refuse parameters that this call does not know: a misspelt filter must not silently widen a list."""
    if not set(request.args) <= set(names):
        raise unknown(names)


def repeated(name: str) -> Invalid:
    """The refusal of a field that came more than once."""
    return Invalid(N_("A field was sent more than once."), N_("Send %(field)s once."), name, {"field": name})


def unknown(known: Iterable[str]) -> Invalid:
    """The refusal of a field that is not among ``known``."""
    message = N_("The request has a field that is not known here.")
    fields = ", ".join(sorted(known))
    if not fields:
        return Invalid(message, NO_FIELDS)
    return Invalid(message, N_("Send only these fields: %(fields)s."), facts={"fields": fields})
