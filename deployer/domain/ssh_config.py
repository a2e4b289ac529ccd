"""Hosts as OpenSSH's client knows them: the ``Host`` blocks of an ``~/.ssh/config``."""

from __future__ import annotations

import fnmatch
import functools
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from deployer.domain.errors import N_, Invalid, Note
from deployer.domain.inventory import KEY_FILE, MAX_HOSTS, Entry, Inventory, too_many
from deployer.domain.reach import split_jump

_TAKEN = ("hostname", "user", "port", "proxyjump", "identityfile", "proxycommand")
_LINE = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)")
MAX_LINE = 10_000  # characters
MAX_COMPARED = 1_000_000  # hosts with patterns
_WILD = frozenset("*?!")


@dataclass
class _Block:
    """Settings and the patterns of the hosts that they are for."""

    line: int
    patterns: list[str]
    settings: dict[str, tuple[int, str]] = field(default_factory=dict)

    @functools.cached_property
    def _tests(self) -> tuple[list[str], list[str]]:
        patterns = [one.replace("[", "[[]") for one in self.patterns]  # which means nothing to OpenSSH
        return [one[1:] for one in patterns if one[:1] == "!"], [one for one in patterns if one[:1] != "!"]

    def is_for(self, alias: str, named: bool = False) -> bool:
        """Whether a host of this name, which may be ``named`` among the patterns, gets these settings."""
        denied, wanted = self._tests
        if any(fnmatch.fnmatchcase(alias, one) for one in denied):
            return False
        return named or any(fnmatch.fnmatchcase(alias, one) for one in wanted)


def read_ssh_config(text: str) -> Inventory:
    """The hosts that are named without wildcards; as for OpenSSH, the first value that fits a host holds.

    Raises Invalid on ``content``.
    """
    found = Inventory()
    blocks = _blocks(text, found)
    general = [block for block in blocks if any(_WILD & set(one) for one in block.patterns)]
    named: dict[str, list[_Block]] = {}
    for block in blocks:
        for alias in block.patterns:
            if not _WILD & set(alias):
                named.setdefault(alias, []).append(block)
    if len(named) > MAX_HOSTS or len(named) * sum(len(block.patterns) for block in general) > MAX_COMPARED:
        raise too_many()
    order = {id(block): number for number, block in enumerate(blocks)}
    settled: dict[str, dict[str, tuple[int, str]]] = {}
    for alias, own in named.items():
        fitting = [block for block in own if block.is_for(alias, named=True)]
        fitting += [block for block in general if block.is_for(alias)]
        settled[alias] = {}
        for block in sorted({id(one): one for one in fitting}.values(), key=lambda one: order[id(one)]):
            settled[alias] = {**block.settings, **settled[alias]}
    by_name = {alias.lower(): settings for alias, settings in settled.items()}
    for alias, own in named.items():
        found.add(_entry(own[0].line, alias, settled[alias], by_name))
    return found


def _blocks(text: str, found: Inventory) -> list[_Block]:
    blocks = [_Block(1, ["*"])]
    in_use = True
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _LINE.fullmatch(line) if len(line) <= MAX_LINE else None
        words = _words(parts[2]) if parts else None
        if parts is None or not words:
            found.remark(number, Note(N_("This line is not one of an SSH configuration.")))
            continue
        keyword = parts[1].lower()
        if keyword == "host":
            in_use = True
            blocks.append(_Block(number, list(dict.fromkeys(words))))
        elif keyword == "match":
            in_use = False
            found.remark(number, Note(N_("Match and what stands below it is not taken over.")))
        elif keyword not in _TAKEN:
            found.not_taken(number, parts[1])
        elif in_use:
            # Like OpenSSH: within a block, too, the first value holds.
            if keyword in blocks[-1].settings:
                found.remark(number, Note(N_("Of several %(what)s the first is taken."), {"what": parts[1]}))
            blocks[-1].settings.setdefault(keyword, (number, words[0] if keyword != "proxycommand" else parts[2]))
    return blocks


def _words(text: str) -> list[str] | None:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return None


_Settings = Mapping[str, tuple[int, str]]


def _entry(line: int, alias: str, own: _Settings, by_name: Mapping[str, _Settings]) -> Entry:
    settings = {name: value for name, (_, value) in own.items()}
    refused = None
    address = settings.get("hostname", alias).replace("%h", alias)
    key_file = settings.get("identityfile", "")
    jump = settings.get("proxyjump", "")
    if settings.get("proxycommand", "none").lower() != "none":
        refused = Note(N_("It is reached by a ProxyCommand. Write a ProxyJump, or add it by hand."))
    elif "," in jump:
        refused = Note(N_("It is reached through several hosts. Only one can be on the way."))
    elif "%" in address + key_file:
        refused = Note(N_("A token with a percent sign is not replaced here. Write out what it stands for."))
    fields = {"reach": "ssh"}
    if settings.get("hostname"):
        fields["address"] = address
    if settings.get("user"):
        fields["ssh_user"] = settings["user"]
    if settings.get("port"):
        fields["ssh_port"] = settings["port"]
    if jump and jump.lower() != "none":
        fields["jump"] = _resolved(jump, by_name)
    if key_file and key_file.lower() != "none":
        fields[KEY_FILE] = key_file
    return Entry(line, alias, {"hostname": alias, **fields}, refused)


def _resolved(jump: str, by_name: Mapping[str, _Settings]) -> str:
    """The host on the way, by its address if the file names it."""
    try:
        parts = split_jump(jump)
    except Invalid:
        return jump
    known = by_name.get(parts.host)
    if known is None:
        return jump
    values = {name: value for name, (_, value) in known.items()}
    host = values.get("hostname", parts.host).replace("%h", parts.host)
    host = f"[{host}]" if ":" in host else host
    user, port = parts.user or values.get("user", ""), parts.port or values.get("port", "")
    return (f"{user}@" if user else "") + host + (f":{port}" if port else "")
