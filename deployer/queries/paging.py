"""A bounded slice of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select

from deployer.extensions import db

T = TypeVar("T")
MAX_LIMIT = 1_000


@dataclass(frozen=True)
class Slice:
    """Which part of a list is wanted: ``page`` from 1, ``limit`` rows a page."""

    page: int = 1
    limit: int = 50


@dataclass(frozen=True)
class Page(Generic[T]):
    """One slice of a list, and how many rows the whole has."""

    rows: tuple[T, ...]
    count: int
    part: Slice

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.count // self.part.limit))


def count_of(query: Select[Any]) -> int:
    """How many rows ``query`` has without its order and slice."""
    return db.session.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one()


def sliced(query: Select[Any], part: Slice) -> Select[Any]:
    """``query`` restricted to ``part``."""
    return query.limit(part.limit).offset((part.page - 1) * part.limit)


def contains(text: str) -> str:
    """A LIKE pattern (escape character ``\\``) for rows that contain ``text`` as it stands."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
