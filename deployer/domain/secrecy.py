"""Secrets in what programs print. A log is read by everybody who may see a service, and a program that fails often
prints how it was called.

What a host says is looked at here before anything is known of that host, so no line may cost more than it is long:
patterns begin with something rare, and what repeats in them is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST = 6  # characters of a known secret; a shorter one would be found everywhere
SHORTEST_CUT = 3  # characters of its beginning at the end of a line that was cut
NAME = 64  # characters before and after the word by which a name is known for a secret's

_WORD = re.compile(
    r"passw(?:or)?d|passphrase|secret|token|(?:api|access|private)[_-]?key|(?<=[_-])(?:pass|pwd)(?![a-z])",
    re.IGNORECASE,
)
_BEFORE = re.compile(rf"[\w.-]{{0,{NAME}}}\Z")
_AFTER = re.compile(rf"[\w.-]{{0,{NAME}}}")
# What may stand between a name and its value: its own closing quote (in JSON within JSON with a backslash), = or :
_BETWEEN = re.compile(r"""(?P<quote>\\?["'])?\s?(?P<sign>[=:])(?P<blank>\s?)(?P<opening>\\?["'])?""")
_OPTION = re.compile(r"\s(?!-)(\S+)")  # --password SECRET
_IN_ADDRESS = re.compile(r"[^\s\"'&#]+")  # ?token=SECRET&x=1
_BARE = re.compile(r"[^\s\"']+")
_TOLD = re.compile(r"(?=[^\s\"']{0,64}[0-9])[^\s\"']{6,}|[^\s\"']{8,}")  # after a colon; and not "password: wrong"
_PATTERNS = (
    # https://ann:SECRET@example.org; a number up to the path is a port
    re.compile(
        r"""(?P<before>://[^\s/:@]{0,100}:)(?![0-9]{1,5}(?:[/?#\s"']|\Z))[^\s"'<>]{1,300}(?=@)""",
    ),
    # Authorization: Token SECRET; Bearer SECRET
    re.compile(r"""(?P<before>\bauthorization["']?\s?[:=]\s?["']?(?:[a-z]{1,20}\s)?)(?!\s)[^\s"']+""", re.IGNORECASE),
    re.compile(r"(?P<before>\b(?:bearer|basic)\s)[\w.~+/=-]{8,}", re.IGNORECASE),
    # curl -u ann:SECRET, and not -u 1000:1000
    re.compile(r"(?P<before>(?<!\S)(?:-u|--user)[ =]?[^\s:]{1,64}:)(?![0-9]+(?:\s|\Z))\S+"),
    # What some programs' own secrets look like.
    re.compile(
        r"(?P<before>)(?:\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{36,}|\bgithub_pat_\w{22,}|\bglpat-[\w-]{20,}"
        r"|\bxox[abprs]-[\w-]{10,}|\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,2000}\.[\w-]{8,}|\bdpl_[\w-]{20,})"
    ),
)
_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
LONGEST_KEY = 400  # lines after which it is taken for something else


def hide(line: str) -> str:
    """``line`` without what looks like a secret."""
    line = _hide_named(line)
    for pattern in _PATTERNS:
        line = pattern.sub(rf"\g<before>{HIDDEN}", line)
    return line


def _hide_named(line: str) -> str:
    """Without the values of what has a secret's name: PASSWORD=…, --api-key …, "token": "…"."""
    found, done = [], 0
    for word in _WORD.finditer(line):
        if word.start() < done:
            continue
        begin, end = _value(line, word.start(), word.end())
        if begin < end:
            found += [line[done:begin], HIDDEN]
            done = end
    return "".join([*found, line[done:]])


def _value(line: str, start: int, stop: int) -> tuple[int, int]:
    """From where to where the value of the name around ``line[start:stop]`` goes; nothing when it has none."""
    nothing = (0, 0)
    name = _BEFORE.search(line, max(0, start - NAME), start)
    rest = _AFTER.match(line, stop)
    assert name is not None and rest is not None  # noqa: S101 (both match nothing, too)
    between = _BETWEEN.match(line, rest.end())
    if between is None:
        is_option = name[0].startswith("-") and line[name.start() - 1 : name.start()].strip() == ""
        value = _OPTION.match(line, rest.end()) if is_option else None
        return value.span(1) if value else nothing
    begin = between.end()
    if between["opening"]:
        end = line.find(between["opening"], begin)
        return begin, len(line) if end < 0 else end
    if between["sign"] == ":" and not between["quote"]:
        value = _TOLD.match(line, begin) if between["blank"] else None
    else:
        value = (_IN_ADDRESS if line[name.start() - 1 : name.start()] in ("?", "&") else _BARE).match(line, begin)
    return value.span() if value else nothing


def hide_known(line: str, secrets: Iterable[str]) -> str:
    """``line`` without these very secrets, without any line of them, and without the beginning of one where it was
    cut."""
    for secret in secrets:
        for part in map(str.strip, secret.splitlines()):
            if len(part) < SHORTEST:
                continue
            line = line.replace(part, HIDDEN)
            if line.endswith("…"):
                kept = (part[:size] for size in range(len(part) - 1, SHORTEST_CUT - 1, -1))
                cut = next((one for one in kept if line[:-1].endswith(one)), "")
                line = line[: len(line) - 1 - len(cut)] + HIDDEN + "…" if cut else line
    return line


class PrivateKeys:
    """Private keys in the lines of one stream: what stands between their first and last line is hidden. It is shown
    lines as they come, before anything is cut off them."""

    def __init__(self) -> None:
        self._inside = 0

    def hide(self, line: str) -> str:
        """The next line of the stream as it may be shown."""
        if self._inside:
            self._inside = 0 if _END.search(line) or self._inside > LONGEST_KEY else self._inside + 1
            return HIDDEN
        begin = _BEGIN.search(line)
        if begin is None:
            return line
        self._inside = 0 if _END.search(line) else 1
        return line[: begin.end()] + HIDDEN
