"""Files with hosts in them, in any format that is known; YAML, which needs a library, is read here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

import yaml

from deployer.domain.ansible import MAX_DEPTH, Groups, read_ini
from deployer.domain.csv_hosts import read_csv
from deployer.domain.errors import N_, Invalid
from deployer.domain.inventory import Inventory, checked, unreadable
from deployer.domain.ssh_config import read_ssh_config

FORMATS = ("csv", "ssh-config", "ansible-ini", "ansible-yaml")
MAX_EVENTS = 200_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # only its parser is used: no object is ever made
Node = dict[str, tuple[int, Any]] | list[tuple[int, Any]] | str  # a mapping's values have the lines of their keys


def guess(text: str, filename: str = "") -> str:
    """The format that a file most likely has."""
    ending = filename.rpartition(".")[2].lower()
    if ending in ("csv", "tsv"):
        return "csv"
    if ending in ("yml", "yaml"):
        return "ansible-yaml"
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] not in "#;"]
    first = lines[0] if lines else ""
    if re.search(r"(^|[,;\t\s\"])hostname([,;\t\s\"]|$)", first.lower()) and not first.lower().startswith("hostname "):
        return "csv"
    if any(re.match(r"\s*host\s", line, re.IGNORECASE) for line in lines):
        return "ssh-config"
    if first == "---" or re.fullmatch(r"[^\s\[\]=]+:\s*(#.*)?", first):
        return "ansible-yaml"
    return "ansible-ini"


def read(text: str, kind: str, known: Collection[str]) -> Inventory:
    """The hosts in ``text``, which is a file of the format ``kind``. ``known`` are the columns that a table may have.
    Raises Invalid on ``content``."""
    readers: dict[str, Callable[[str], Inventory]] = {
        "csv": lambda plain: read_csv(plain, known),
        "ssh-config": read_ssh_config,
        "ansible-ini": read_ini,
        "ansible-yaml": read_yaml,
    }
    return readers[kind](checked(text))


def read_yaml(text: str) -> Inventory:
    """The hosts of an Ansible inventory in YAML."""
    groups = Groups()
    top = _mapping(_document(text), 1)
    for name, (line, group) in top.items():
        _group(groups, name, line, group)
    return groups.inventory()


def _group(groups: Groups, name: str, line: int, node: Node) -> None:
    group = groups.group(name, line)
    for part, (its_line, content) in _mapping(node, line).items():
        if part == "hosts":
            for host, (host_line, variables) in _mapping(content, its_line).items():
                groups.host(name, host, host_line, _variables(variables, host_line))
        elif part == "vars":
            group.variables.update(groups.known(_variables(content, its_line), its_line))
        elif part == "children":
            for child, (child_line, inside) in _mapping(content, its_line).items():
                groups.child(name, child, child_line)
                _group(groups, child, child_line, inside)
        else:
            raise _not_ansible(its_line)


def _variables(node: Node, line: int) -> dict[str, str]:
    """Variables with plain values; what is more than that means nothing here but its name."""
    return {name: value if isinstance(value, str) else "" for name, (_, value) in _mapping(node, line).items()}


def _mapping(node: Node, line: int) -> dict[str, tuple[int, Any]]:
    if node in ("", "null", "~"):
        return {}
    if not isinstance(node, dict):
        raise _not_ansible(line)
    return node


def _document(text: str) -> Node:
    """The one document in ``text``: mappings, lists and texts. What YAML could do beyond that is refused, and so is
    what is written to be large: nothing is ever repeated, and depth is bounded before anything is made of it."""
    stack: list[tuple[Any, list[str]]] = []  # an open collection, and the key that waits for its value
    root: list[Node] = []

    def put(line: int, value: Node) -> None:
        if not stack:
            root.append(value)
            return
        into, waiting = stack[-1]
        if isinstance(into, list):
            into.append((line, value))
        elif waiting:
            into[waiting.pop()] = (line, value)
        elif not isinstance(value, str):
            raise _not_ansible(line)
        elif value in into:
            raise unreadable(
                N_("Line %(line)s names something a second time."), N_("Write it once, with all it has."), line=line
            )
        else:
            waiting.append(value)

    for line, event in _events(text):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise unreadable(
                N_("Line %(line)s has an anchor or an alias."), N_("Write out the values themselves."), line=line
            )
        if isinstance(event, yaml.ScalarEvent):
            if event.tag is not None:
                raise _tagged(line)
            put(line, event.value)
        elif isinstance(event, yaml.CollectionStartEvent):
            if event.tag is not None:
                raise _tagged(line)
            if len(stack) >= 3 * MAX_DEPTH:
                raise _too_deep(line)
            value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            put(line, value)
            stack.append((value, []))
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
    if len(root) != 1:
        raise unreadable(N_("There is not exactly one document in it."), N_("Import one inventory at a time."))
    return root[0]


def _events(text: str) -> Iterator[tuple[int, Any]]:
    try:
        for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
            if number > MAX_EVENTS:
                raise unreadable(N_("The file is too large."), N_("Import it in parts."))
            yield (event.start_mark.line + 1 if event.start_mark else 1), event
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        if "nesting depth" in str(getattr(problem, "problem", "")):  # libyaml has a bound of its own
            raise _too_deep(line) from None
        raise unreadable(
            N_("Line %(line)s is not YAML."),
            N_("Check its indentation, and quote values that have special characters."),
            line=line,
        ) from None


def _not_ansible(line: int) -> Invalid:
    return unreadable(
        N_("Line %(line)s is not where an inventory has it."),
        N_("Groups are mappings with hosts, vars and children in them; hosts are mappings, too."),
        line=line,
    )


def _too_deep(line: int) -> Invalid:
    return unreadable(N_("Line %(line)s is nested too deeply."), N_("Write it flatter."), line=line)


def _tagged(line: int) -> Invalid:
    return unreadable(
        N_("Line %(line)s has a tag, such as !vault, which is not read here."),
        N_("Take that value out, or write it plainly."),
        line=line,
    )
