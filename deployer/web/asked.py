"""What the query string of a page asks for: which part of a list, which rows, since when."""

from __future__ import annotations

import re

from deployer.domain.errors import N_, Invalid
from deployer.domain.names import parse_text
from deployer.queries.fleet import InstanceFilter
from deployer.queries.paging import Slice
from deployer.web.parameters import read_flag, read_id, read_one

PER_PAGE = 100
_REVISION = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def asked_slice(limit: int = PER_PAGE) -> Slice:
    """The page of a list, from 1; beyond the end, the last one."""
    return Slice(read_id("page") or 1, limit, clamped=True)


def asked_search() -> str:
    """The text that rows must contain."""
    return parse_text(read_one("q"), "q", 100)


def asked_instances() -> InstanceFilter:
    """Which instances of a service."""
    return InstanceFilter(version_id=read_id("version_id"), locked=read_flag("locked"), search=asked_search())


def asked_since() -> int:
    """The revision that the page shows. Raises Invalid."""
    text = read_one("since")
    if not _REVISION.fullmatch(text):
        raise Invalid(N_("This is not a revision."), N_("Reload the page."), "since")
    return int(text)
