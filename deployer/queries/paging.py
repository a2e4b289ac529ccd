"""A bounded slice of a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from deployer.extensions import db
from deployer.models.columns import among

T = TypeVar("T")
Q = TypeVar("Q", bound=Select[*tuple[Any, ...]])
MAX_LIMIT = 1_000


@dataclass(frozen=True)
class Slice:
    """Which part of a list is wanted: ``page`` from 1, ``limit`` rows a page. A page beyond the end is empty, or the
    last one when the slice is ``clamped``."""

    page: int = 1
    limit: int = 50
    clamped: bool = False

    def within(self, count: int) -> Slice:
        """The slice of a list of ``count`` rows that is meant."""
        last = max(1, -(-count // self.limit))
        return replace(self, page=last) if self.clamped and self.page > last else self


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

    @property
    def part_of(self) -> tuple[int, int]:
        """Which page it is, and of how many."""
        return self.part.page, self.pages

    @property
    def address(self) -> dict[str, int]:
        """What leads to it, as arguments of the list's address: nothing for the first page."""
        return {"page": self.part.page} if self.part.page > 1 else {}


def count_of(query: Select[Any]) -> int:
    """How many rows ``query`` has without its order and slice."""
    return db.session.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one()


def sliced(query: Select[Any], part: Slice) -> Select[Any]:
    """``query`` restricted to ``part``."""
    return query.limit(part.limit).offset((part.page - 1) * part.limit)


def paged(query: Select[Any], part: Slice, read: Callable[..., T], counted: Select[Any] | None = None) -> Page[T]:
    """The page of ``query`` that is meant, each row through ``read``. ``counted`` has as many rows and is cheaper."""
    count = count_of(query if counted is None else counted)
    part = part.within(count)
    return Page(tuple(read(*row) for row in db.session.execute(sliced(query, part))), count, part)


def seen_of(query: Q, column: InstrumentedAttribute[Any], seen: frozenset[int] | None) -> Q:
    """``query`` restricted to the services that are ``seen``, whose ids ``column`` has; None: all."""
    return query if seen is None else query.where(among(db.session(), column, sorted(seen)))


def contains(text: str) -> str:
    """A LIKE pattern (escape character ``\\``) for rows that contain ``text`` as it stands."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def midnight(day: date) -> datetime:
    """When ``day`` begins (UTC)."""
    return datetime.combine(day, time(), UTC)
