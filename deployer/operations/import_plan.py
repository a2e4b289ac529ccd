"""What importing hosts would do: each of them beside the one of the same name that is there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from sqlalchemy import select

from deployer.domain.errors import N_, Invalid, Refused
from deployer.domain.inventory import KEY_FILE, Entry
from deployer.domain.machine import NewHost
from deployer.domain.reach import CredentialKind, parse_key_file
from deployer.extensions import db
from deployer.models import CredentialRow
from deployer.operations.existing import Existing, existing

# What was typed for a host, by field → that host, or what was refused of it, by field.
Read = Callable[[Mapping[str, str]], NewHost | Mapping[str, Refused]]


@dataclass(frozen=True)
class Added:
    """A host that is not there yet."""

    line: int
    host: NewHost


@dataclass(frozen=True)
class Changed:
    """A host that is there and would be another. ``changes``: field → before and after."""

    line: int
    host_id: int
    host: NewHost
    changes: dict[str, list[str]]


@dataclass(frozen=True)
class LeftOut:
    """A host in the file that nothing is done with, and why, by field; "" is the host as a whole."""

    line: int
    name: str
    why: Mapping[str, Refused]


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do. ``credentials`` are to be added: name → path of a key on the worker's machine."""

    added: tuple[Added, ...]
    changed: tuple[Changed, ...]
    unchanged: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    credentials: dict[str, str]

    @property
    def does_something(self) -> bool:
        """Whether there is anything to confirm."""
        return bool(self.added or self.changed)

    @property
    def digest(self) -> str:
        """What exactly it would do, in 64 hexadecimal digits."""
        text = json.dumps(
            [
                [asdict(one.host) for one in self.added],
                [[one.host_id, one.changes] for one in self.changed],
                sorted(self.credentials.items()),
                [[one.line, one.name] for one in self.left_out],
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Common:
    """What holds for all the hosts of a file: where their services are unless it is said, labels beside their own, and
    whether the labels it names are all that a host shall have."""

    directory: str = ""
    labels: tuple[str, ...] = ()
    names_all_labels: bool = False


def plan(entries: Iterable[Entry], common: Common, read: Read) -> ImportPlan:
    """What importing ``entries`` would do, with the hosts as they are now. It only reads, in three statements."""
    return _Planning(common, read).plan(entries)


class _Planning:
    """One file against the hosts that are there."""

    def __init__(self, common: Common, read: Read) -> None:
        self._common = common
        self._read = read
        self._known = {one.host.hostname: one for one in existing().values()}
        self._places = {_place(one.host): name for name, one in self._known.items() if not one.is_retired}
        credentials = db.session.execute(select(CredentialRow.name, CredentialRow.kind, CredentialRow.public)).all()
        self._taken = {row.name for row in credentials}
        self._files = {row.public: row.name for row in credentials if row.kind is CredentialKind.FILE}
        self._new_files: dict[str, str] = {}  # path → name
        self._seen: dict[str, int] = {}  # name → line

    def plan(self, entries: Iterable[Entry]) -> ImportPlan:
        added: list[Added] = []
        changed: list[Changed] = []
        unchanged: list[str] = []
        left_out: list[LeftOut] = []
        for entry in entries:
            known = self._known.get(entry.name.lower())
            try:
                new = self._host(entry, known)
            except Refused as problem:
                new = {"": problem}
            if not isinstance(new, NewHost):
                left_out.append(LeftOut(entry.line, entry.name, new))
            elif known is None:
                added.append(Added(entry.line, new))
            elif changes := known.host.differences(new):
                changed.append(Changed(entry.line, known.id, new, changes))
            else:
                unchanged.append(new.hostname)
        needed = {one.credential for one in [*(one.host for one in added), *(one.host for one in changed)]}
        files = {name: path for path, name in self._new_files.items() if name in needed}
        return ImportPlan(tuple(added), tuple(changed), tuple(unchanged), tuple(left_out), files)

    def _host(self, entry: Entry, known: Existing | None) -> NewHost | Mapping[str, Refused]:
        """What the host shall be, or what was refused of it. Raises Refused for the host as a whole."""
        if entry.refused is not None:
            raise Invalid(entry.refused.message, "", "", entry.refused.facts)
        values = self._values(entry, known)
        if not values.get("directory"):
            raise Invalid(
                N_("No directory is given for this host."),
                N_("Say in which directory the services of such hosts are, or give the file a column for it."),
                "directory",
            )
        new = self._read({name: value for name, value in values.items() if value})
        if isinstance(new, NewHost):
            self._check(new, entry, known)
        return new

    def _values(self, entry: Entry, known: Existing | None) -> dict[str, str]:
        """What would be typed for the host: as it is, with what the file says in its place."""
        if known is None:
            values = {"reach": "ssh", "directory": self._common.directory, "address": entry.name}
        else:
            values = known.host.as_typed()
        told = {name: value for name, value in entry.fields.items() if name != KEY_FILE}
        kept = "" if self._common.names_all_labels and "labels" in told else values.get("labels", "")
        values |= told
        values["labels"] = " ".join([kept, told.get("labels", ""), *self._common.labels]).strip()
        if entry.fields.get(KEY_FILE):
            values["credential"] = self._credential(entry.fields[KEY_FILE])
        return values

    def _check(self, new: NewHost, entry: Entry, known: Existing | None) -> None:
        """Raise Invalid when it cannot be there beside all the others."""
        if new.credential is not None and new.credential not in self._taken:
            raise Invalid(
                N_("There is no credential of this name."),
                N_("Add it first, or take it out of the file."),
                "credential",
            )
        if new.hostname in self._seen:
            raise Invalid(N_("Line %(line)s has this host already."), "", "", {"line": self._seen[new.hostname]})
        self._seen[new.hostname] = entry.line
        if known is not None and known.is_retired:
            raise Invalid(N_("This host is retired."), N_("Bring it back first, or leave it out."))
        there = self._places.setdefault(_place(new), new.hostname)
        if there != new.hostname:
            raise Invalid(
                N_("The host %(name)s has this directory on the same machine."),
                N_("Give each a directory of its own."),
                "directory",
                {"name": there},
            )

    def _credential(self, text: str) -> str:
        """The name of the credential that is this key file, known or new."""
        path = parse_key_file(text, "credential")
        known = self._files.get(path) or self._new_files.get(path)
        if known:
            return known
        base = re.sub(r"[^A-Za-z0-9._+-]", "-", PurePosixPath(path).name)[:50].lstrip("._+-") or "key"
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}-{number}", number + 1
        self._taken.add(name)
        self._new_files[path] = name
        return name


def _place(host: NewHost) -> tuple[object, ...]:
    return tuple(host.place.values())
