"""Hosts as other programs write them down: what every format comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from deployer.domain.errors import N_, Invalid, Note

MAX_TEXT = 500_000  # characters
MAX_HOSTS = 5_000
MAX_REMARKS = 200
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
KEY_FILE = "key_file"  # beside the fields of a host: a private key on the worker's machine


@dataclass(frozen=True)
class Entry:
    """A host in a file: the fields of the form that the file has something on, as they would be typed."""

    line: int
    name: str
    fields: Mapping[str, str]
    refused: Note | None = None  # why nothing can be made of it


@dataclass(frozen=True)
class Remark:
    """Something in the file that is not taken over."""

    line: int
    note: Note


@dataclass
class Inventory:
    """What a file says."""

    entries: list[Entry] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        """One more host. Raises Invalid when there are too many."""
        if len(self.entries) >= MAX_HOSTS:
            raise too_many()
        self.entries.append(entry)

    def remark(self, line: int, note: Note) -> None:
        """One more remark, each only once and not without end."""
        if str(note) not in self._said and len(self.remarks) < MAX_REMARKS:
            self._said.add(str(note))
            self.remarks.append(Remark(line, note))

    def not_taken(self, line: int, what: str) -> None:
        """Remark that ``what`` means nothing here."""
        self.remark(line, Note(N_("%(what)s is not taken over."), {"what": what[:80]}))


def checked(text: str) -> str:
    """``text`` with plain line ends. Raises Invalid when it is too long or no text."""
    if len(text) > MAX_TEXT:
        raise unreadable(N_("The file is too large."), N_("At most %(most)s characters are read."), most=MAX_TEXT)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if found := _NO_TEXT.search(text):
        raise unreadable(
            N_("Line %(line)s has characters that are no text."),
            N_("Save the file as text in UTF-8, without control characters."),
            line=text.count("\n", 0, found.start()) + 1,
        )
    return text


def unreadable(message: str, hint: str, **facts: object) -> Invalid:
    """The refusal of a whole file."""
    return Invalid(message, hint, "content", facts)


def too_many() -> Invalid:
    """The refusal of a file with more hosts than are read at once."""
    return unreadable(N_("These are too many hosts."), N_("Import at most %(most)s at a time."), most=MAX_HOSTS)
