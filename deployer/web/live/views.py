"""What a live page shows, as parts that can be told apart from what it showed before."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from typing import Any

WIDTH = 6  # characters of a mark
MANY = 50  # rows that are different, from which on the whole list is cheaper to swap than each of them


@dataclass(frozen=True)
class Part:
    """An element of the page: its id, the template that it comes from, all that this one is given.

    With ``rev`` the page's cursor tells whether it is another one than before, else its mark does.
    """

    id: str
    template: str
    shown: dict[str, Any]
    rev: int | None = None
    swap: str = "outerHTML"

    @cached_property
    def mark(self) -> str:
        """Stands for what is shown."""
        return mark(sorted(self.shown.items()))


@dataclass(frozen=True)
class Rows:
    """A list: as a whole, and row by row. Which rows there are, and ``frame``, tell whether the rows alone will do."""

    whole: Part
    rows: tuple[Part, ...]
    frame: object = None

    @cached_property
    def mark(self) -> str:
        """Stands for everything but the contents of the rows."""
        return mark(([row.id for row in self.rows], self.frame))


@dataclass(frozen=True)
class View:
    """A page at its ``cursor``. ``address`` is where it polls, endpoint and arguments, as long as it ``polls``.
    ``context`` is what the page as a whole is rendered with. A page ``is_list`` when nothing can be watched on it."""

    cursor: int
    moving: bool
    address: tuple[str, dict[str, Any]]
    regions: tuple[Part, ...] = ()
    lists: tuple[Rows, ...] = ()
    context: dict[str, Any] = field(default_factory=dict)
    poller: str = "shared/_poller.html"
    polls: bool = True
    is_list: bool = False
    about: int | None = None  # the one service that it is about

    @cached_property
    def _fixed(self) -> list[Part | Rows]:
        """What every version of the page has, without what has a revision."""
        return [*(part for part in self.regions if part.rev is None), *self.lists]

    @cached_property
    def _rows(self) -> list[Part]:
        return [row for one in self.lists for row in one.rows if row.rev is None]

    @cached_property
    def shown(self) -> str:
        """What a page that shows this polls with: the marks of everything that has no revision, in order."""
        return "".join(one.mark for one in (*self._fixed, *self._rows))

    def changes(self, since: int, shown: str) -> list[Part]:
        """What has to be swapped in a page at the cursor ``since`` that shows ``shown``."""
        marks = [shown[start : start + WIDTH] for start in range(0, len(shown), WIDTH)]
        fixed, rows = marks[: len(self._fixed)], marks[len(self._fixed) :]
        # Of other rows one cannot tell which is which; nor of anything after another version of this program has come.
        rows = rows if len(rows) == len(self._rows) else [""] * len(self._rows)
        before = zip_longest((*self._fixed, *self._rows), (*fixed, *rows))
        other = {id(one) for one, its in before if one is not None and one.mark != its}

        def is_other(part: Part) -> bool:
            # A cursor ahead of ours was handed out by a database that has been restored since.
            return id(part) in other if part.rev is None else part.rev > since or since > self.cursor

        changed = [part for part in self.regions if is_other(part)]
        for one in self.lists:
            differ = [row for row in one.rows if is_other(row)]
            changed += [one.whole] if id(one) in other or len(differ) > MANY else differ
        return changed


def mark(value: object) -> str:
    """A few letters that stand for a value."""
    return base64.urlsafe_b64encode(digest(value, 4))[:WIDTH].decode()


def fingerprint(value: object) -> int:
    """As a cursor, for what has no revision."""
    return int.from_bytes(digest(value, 8)) >> 5


def digest(value: object, size: int) -> bytes:
    """What two values have in common only when they are equal."""
    return hashlib.blake2b(repr(value).encode(), digest_size=size).digest()
