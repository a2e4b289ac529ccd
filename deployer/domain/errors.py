"""Refusals: what was wrong, with which field, and what to do.

A message is its own translation key: English text with ``%(name)s`` slots, marked with :func:`N_` so that the
catalogues are extracted from here, and filled with ``facts`` after translation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


def N_(text: str) -> str:  # noqa: N802 (gettext's own name for "mark, do not translate yet")
    """Mark ``text`` for the message catalogues and return it unchanged."""
    return text


@dataclass(frozen=True)
class Note:
    """A sentence for a person, and the facts for its slots. ``about`` names the thing that it is about, if one."""

    message: str
    facts: Mapping[str, object] = dataclasses.field(default_factory=dict)
    about: str = ""

    def __str__(self) -> str:
        text = self.message % self.facts if self.facts else self.message
        return f"{self.about}: {text}" if self.about else text


@dataclass
class Refused(Exception):
    """A request that is not carried out. Nothing has changed.

    ``message`` is the one-line summary (the wire's ``msg``), ``hint`` says what to do about it, ``field`` names the
    input that is at fault ("" when it is the whole request), ``facts`` fill the slots of both texts. ``notes`` stand
    between the two: one sentence for each thing that is in the way.
    """

    message: str
    hint: str = ""
    field: str = ""
    facts: Mapping[str, object] = dataclasses.field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def __str__(self) -> str:
        own = [Note(part, self.facts) for part in (self.message, self.hint) if part]
        return " ".join(map(str, [own[0], *self.notes, *own[1:]]))


class Invalid(Refused):
    """A parameter that cannot be right whatever the state of the world: 417 in the API, 422 in a form."""


class NotFound(Refused):
    """Something that does not exist (any more): 404."""


class Conflict(Refused):
    """Well formed, but the world is not in the state it needs: 409."""


class Unidentified(Refused):
    """It is not known who asks, because what should prove it does not (any more): 401."""


class Forbidden(Refused):
    """A known person who may not do this: 403."""


def no_such(noun: str, identity: object, field_name: str = "") -> NotFound:
    """The refusal for ``noun`` (an English singular such as "version") that is not there."""
    return NotFound(
        N_("No such resource."),
        N_("There is no %(noun)s %(id)s here. It may have been removed; reload the page and choose again."),
        field_name,
        {"noun": noun, "id": identity},
    )
