"""Hosts of an Ansible inventory: groups with hosts, variables and other groups in them, and the INI way to write them.

What a host comes to is the same for INI and YAML: variables of groups, those of a group before those of its parents,
and before all of them the host's own. The groups become labels.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deployer.domain.errors import N_, Note
from deployer.domain.inventory import KEY_FILE, MAX_HOSTS, Entry, Inventory, too_many, unreadable

MAX_RANGES = 5  # in one name
_RANGE = re.compile(r"\[([0-9]{1,6}|[A-Za-z]):([0-9]{1,6}|[A-Za-z])(?::([0-9]{1,4}))?\]", re.ASCII)
_PORT = re.compile(r"(.*[^:]):([0-9]{1,5})", re.ASCII)
_VARIABLES = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "ssh_port",
    "ansible_ssh_port": "ssh_port",
    "ansible_user": "ssh_user",
    "ansible_ssh_user": "ssh_user",
    "ansible_ssh_private_key_file": KEY_FILE,
    "ansible_private_key_file": KEY_FILE,
    "ansible_connection": "reach",
}
_REACHES = {"ssh": "ssh", "smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh", "local": "local"}
_EVERYONE = ("all", "ungrouped")
_SECTION = re.compile(r"\[([^\[\]:]+)(?::([a-z]+))?\]")
MAX_DEPTH = 30  # groups within groups
MAX_GROUPS = 2_000
MAX_LINKS = 50_000  # hosts in groups, and groups in groups
MAX_ABOVE = 100  # groups around one group


@dataclass
class Group:
    """A group as it is written: its variables, what is in it, and the hosts' own variables."""

    line: int
    variables: dict[str, str] = field(default_factory=dict)
    children: dict[str, int] = field(default_factory=dict)  # → line
    hosts: dict[str, int] = field(default_factory=dict)


@dataclass
class Groups:
    """A whole inventory."""

    groups: dict[str, Group] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)  # host → its own variables
    lines: dict[str, int] = field(default_factory=dict)  # host → where it is named first
    unknown: dict[str, int] = field(default_factory=dict)  # variables that mean nothing here → line
    links: int = 0

    def group(self, name: str, line: int) -> Group:
        """The group of this name, made if need be."""
        if name not in self.groups and len(self.groups) >= MAX_GROUPS:
            raise unreadable(N_("These are too many groups."), N_("Import it in parts."))
        return self.groups.setdefault(name, Group(line))

    def child(self, parent: str, name: str, line: int) -> None:
        """A group in a group."""
        self._link()
        self.group(parent, line).children[name] = line

    def known(self, variables: Mapping[str, str], line: int) -> dict[str, str]:
        """Those of the variables that mean something here; the others are remembered by their names alone."""
        for name in variables:
            if name not in _VARIABLES:
                self.unknown.setdefault(name, line)
        return {name: value for name, value in variables.items() if name in _VARIABLES}

    def _link(self) -> None:
        self.links += 1
        if self.links > MAX_LINKS:
            raise too_many()

    def host(self, group: str, name: str, line: int, variables: dict[str, str]) -> None:
        """A host, or a range of them such as ``web[01:20]``, in a group."""
        variables = self.known(variables, line)
        for one in expanded(name, line):
            self._link()
            self.group(group, line).hosts[one] = line
            self.own.setdefault(one, {}).update(variables)
            self.lines.setdefault(one, line)
            if len(self.lines) > MAX_HOSTS:
                raise too_many()

    def inventory(self) -> Inventory:
        """What it comes to. Raises Invalid for groups that contain themselves."""
        found = Inventory()
        parents: dict[str, set[str]] = {name: set() for name in self.groups}
        for name, group in self.groups.items():
            for child, line in group.children.items():
                if child not in self.groups:
                    found.remark(line, Note(N_("There is no group %(name)s."), {"name": child[:80]}))
                else:
                    parents[child].add(name)
        above = {name: self._above(name, parents) for name in self.groups}
        in_groups: dict[str, set[str]] = {name: set() for name in self.lines}
        for name, group in self.groups.items():
            for host in group.hosts:
                in_groups[host] |= {name, *above[name]}
        for host, line in self.lines.items():
            groups = in_groups[host] - set(_EVERYONE)
            # Parents first, so that what is nearer to the host comes later and holds.
            order = sorted(groups, key=lambda name: (len(above[name]), name))
            variables: dict[str, str] = {}
            for name in ("all", *order):
                if name in self.groups:
                    variables.update(self.groups[name].variables)
            variables.update(self.own[host])
            found.add(_entry(line, host, variables, sorted(groups)))
        for name, line in self.unknown.items():
            found.remark(line, Note(N_("The variable %(name)s is not taken over."), {"name": name[:80]}))
        return found

    def _above(self, name: str, parents: dict[str, set[str]]) -> set[str]:
        """All groups that contain the group, however indirectly."""
        found: set[str] = set()
        waiting = list(parents[name])
        while waiting:
            one = waiting.pop()
            if one == name:
                raise unreadable(N_("The group %(name)s contains itself."), N_("Take one of them out."), name=name[:80])
            if one not in found:
                found.add(one)
                waiting += parents[one]
            if len(found) > MAX_ABOVE:
                raise unreadable(N_("The groups are nested too deeply."), N_("Write it flatter."))
        return found


def _entry(line: int, host: str, variables: dict[str, str], labels: list[str]) -> Entry:
    fields = {"hostname": host}
    if labels:
        fields["labels"] = " ".join(labels)
    refused = None
    for name, wanted in _VARIABLES.items():
        value = variables.get(name, "")
        if "{{" in value or "{%" in value:
            refused = Note(N_("%(name)s is a template. Write out what it stands for."), {"name": name})
        elif value and wanted == "reach":
            if value not in _REACHES:
                refused = Note(N_("It is reached by %(name)s, which is not known here."), {"name": value[:80]})
            fields["reach"] = _REACHES.get(value, "ssh")
        elif value:
            fields[wanted] = value
    if fields.get("reach") == "local":
        fields = {name: value for name, value in fields.items() if name not in ("ssh_user", "ssh_port", KEY_FILE)}
    return Entry(line, host, fields, refused)


def expanded(pattern: str, line: int) -> Iterator[str]:
    """The names that a pattern with ranges stands for; without one it stands for itself. Raises Invalid."""
    found = _RANGE.search(pattern)
    if found is None:
        if "[" in pattern or "]" in pattern:
            raise _bad_range(line)
        yield pattern
        return
    if pattern.count("[") > MAX_RANGES:
        raise _bad_range(line)
    first, last, step = found[1], found[2], int(found[3] or 1)
    if first.isdigit() and last.isdigit():
        width = len(first) if first.startswith("0") else 0
        numbers = range(int(first), int(last) + 1, step or 1)
        names = (str(number).zfill(width) for number in numbers)
    elif not first.isdigit() and not last.isdigit():
        numbers = range(ord(first), ord(last) + 1, step or 1)
        names = (chr(number) for number in numbers)
    else:
        raise _bad_range(line)
    if not numbers or not step:
        raise _bad_range(line)
    if len(numbers) > MAX_HOSTS:
        raise too_many()
    for name in names:
        yield from expanded(pattern[: found.start()] + name + pattern[found.end() :], line)


def _bad_range(line: int) -> Exception:
    return unreadable(
        N_("Line %(line)s has a range that is none."), N_("Write one as [01:20], [1:9:2] or [a:f]."), line=line
    )


def read_ini(text: str) -> Inventory:
    """The hosts of an inventory in INI. Raises Invalid on ``content``."""
    groups = Groups()
    section, kind = "ungrouped", ""
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if found := _SECTION.fullmatch(line.partition(" #")[0].rstrip()):
            section, kind = found[1].strip(), found[2] or ""
            if kind not in ("", "vars", "children"):
                raise _bad_line(number)
            groups.group(section, number)
        elif kind == "vars":
            name, equals, value = line.partition("=")
            if not equals:
                raise _bad_line(number)
            known = groups.known({name.strip(): _unquoted(value.strip())}, number)
            groups.group(section, number).variables.update(known)
        elif kind == "children":
            groups.child(section, line.partition(" #")[0].strip(), number)
        else:
            _host_line(groups, section, line, number)
    return groups.inventory()


def _host_line(groups: Groups, section: str, line: str, number: int) -> None:
    try:
        host, *words = shlex.split(line, comments=True)
    except ValueError:
        raise _bad_line(number) from None
    variables = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise _bad_line(number)
        variables[name] = value
    if port := _PORT.fullmatch(host):
        host = port[1]
        variables.setdefault("ansible_port", port[2])
    groups.host(section, host, number, variables)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _bad_line(number: int) -> Exception:
    return unreadable(
        N_("Line %(line)s is not one of an inventory."),
        N_("A host stands first on its line, then its variables as name=value; a group in brackets."),
        line=number,
    )
