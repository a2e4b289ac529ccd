"""From a file with hosts to what importing it would do, for pages, API and command line alike."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from deployer import inventory
from deployer.domain.errors import N_, Invalid, Refused
from deployer.domain.inventory import KEY_FILE, Entry, Inventory
from deployer.domain.reach import CredentialKind, parse_key_file
from deployer.operations.hosts import NewHost, differences
from deployer.operations.imports import Added, Changed, ImportPlan, LeftOut
from deployer.queries import credentials, hosts
from deployer.queries.hosts import HostRow
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.hosts import HostForm, as_typed
from deployer.web.words import note, whole

COLUMNS = HostForm.field_names()


@dataclass(frozen=True)
class Upload:
    """A file to import, and what is meant where it says nothing."""

    text: str
    kind: str = ""  # "" is guessed
    filename: str = ""
    directory: str = ""
    labels: tuple[str, ...] = ()

    @functools.cached_property
    def format(self) -> str:
        """The format as which it is read."""
        return self.kind or inventory.guess(self.text, self.filename)


def decoded(data: bytes) -> str:
    """The text of a file. Raises Invalid on ``content``."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(
            N_("The file is not text in UTF-8."), N_("Save it as text in UTF-8, then try again."), "content"
        ) from None


def read(upload: Upload) -> Inventory:
    """What the file says. Raises Invalid on ``content``."""
    found = inventory.read(upload.text, upload.format, COLUMNS)
    if not found.entries:
        raise Invalid(
            N_("There is no host in it."),
            N_("It was read as %(format)s. Choose the format, if that is wrong."),
            "content",
            {"format": upload.format},
        )
    return found


def plan(upload: Upload, found: Inventory) -> ImportPlan:
    """What importing it would do, with the hosts as they are now."""
    return _Planning(upload).plan(found)


class _Planning:
    """One file against the hosts that are there."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.known = hosts.by_name()
        listed = credentials.credentials()
        self.taken = {one.name for one in listed}
        self.files = {one.public: one.name for one in listed if one.kind is CredentialKind.FILE}
        self.new_files: dict[str, str] = {}  # path → name

    def plan(self, found: Inventory) -> ImportPlan:
        added: list[Added] = []
        changed: list[Changed] = []
        unchanged: list[str] = []
        left_out: list[LeftOut] = []
        seen: dict[str, int] = {}
        places = {_place(self._as_is(row)): row.hostname for row in self.known.values() if not row.retired}
        for entry in found.entries:
            row = self.known.get(entry.name.lower())
            try:
                new = self._host(entry, row)
                if new.hostname in seen:
                    raise Invalid(N_("Line %(line)s has this host already."), "", "", {"line": seen[new.hostname]})
                seen[new.hostname] = entry.line
                if row is not None and row.retired:
                    raise Invalid(N_("This host is retired."), N_("Bring it back first, or leave it out."))
                if places.setdefault(_place(new), new.hostname) != new.hostname:
                    raise Invalid(
                        N_("The host %(name)s has this directory on the same machine."),
                        N_("Give each a directory of its own."),
                        "directory",
                        {"name": places[_place(new)]},
                    )
            except (Refused, RefusedInput) as problem:
                left_out.append(LeftOut(entry.line, entry.name, _why(problem)))
                continue
            if row is None:
                added.append(Added(entry.line, new))
            elif changes := differences(self._as_is(row), new):
                changed.append(Changed(entry.line, row.id, new, changes))
            else:
                unchanged.append(new.hostname)
        needed = {one.credential for one in [*(one.host for one in added), *(one.host for one in changed)]}
        files = {name: path for path, name in self.new_files.items() if name in needed}
        return ImportPlan(tuple(added), tuple(changed), tuple(unchanged), tuple(left_out), files)

    def _host(self, entry: Entry, row: HostRow | None) -> NewHost:
        if entry.refused is not None:
            raise Invalid(entry.refused.message, "", "", entry.refused.facts)
        if row is None:
            values = {"reach": "ssh", "directory": self.upload.directory, "address": entry.name}
        else:
            values = as_typed(self._as_is(row))
        told = {name: value for name, value in entry.fields.items() if name != KEY_FILE}
        # A table says which labels a host has; the groups of an inventory are some of them.
        kept = values.get("labels", "") if self.upload.format != "csv" or "labels" not in told else ""
        values |= told
        values["labels"] = " ".join([kept, told.get("labels", ""), *self.upload.labels]).strip()
        if entry.fields.get(KEY_FILE):
            values["credential"] = self._credential(entry.fields[KEY_FILE])
        if not values.get("directory"):
            raise Invalid(
                N_("No directory is given for this host."),
                N_("Say in which directory the services of such hosts are, or give the file a column for it."),
                "directory",
            )
        form: HostForm = HostForm.read({name: value for name, value in values.items() if value})
        new = form.new()
        if new.credential is not None and new.credential not in self.taken:
            raise Invalid(
                N_("There is no credential of this name."),
                N_("Add it first, or take it out of the file."),
                "credential",
            )
        return new

    def _credential(self, text: str) -> str:
        path = parse_key_file(text, "credential")
        known = self.files.get(path) or self.new_files.get(path)
        if known:
            return known
        base = re.sub(r"[^A-Za-z0-9._+-]", "-", PurePosixPath(path).name)[:50].lstrip("._+-") or "key"
        name, number = base, 2
        while name in self.taken:
            name, number = f"{base}-{number}", number + 1
        self.taken.add(name)
        self.new_files[path] = name
        return name

    @staticmethod
    def _as_is(row: HostRow) -> NewHost:
        return NewHost(
            hostname=row.hostname,
            address=row.address,
            directory=row.directory,
            reach=row.reach,
            description=row.description,
            labels=row.labels,
            ssh_user=row.login.user,
            ssh_port=row.login.port,
            jump=row.login.jump,
            credential=row.credential,
        )


def _place(host: NewHost) -> tuple[object, ...]:
    """Equal for two hosts that would overwrite each other's services."""
    if host.reach.value == "local":
        return (host.reach, host.directory)
    return (host.reach, host.directory, host.address, host.jump, host.ssh_port)


def _why(problem: Refused | RefusedInput) -> tuple[str, ...]:
    if isinstance(problem, Refused):
        return (whole(problem),)
    return tuple(f"{field}: {whole(refused)}" for field, refused in problem.refusals.items())


def remarks(found: Inventory) -> list[tuple[int, str]]:
    """What is not taken over, with its line."""
    return [(one.line, note(one.note)) for one in found.remarks]
