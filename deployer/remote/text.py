"""Text from a host as it may be kept and shown: without control characters and terminal codes, bounded."""

from __future__ import annotations

import re

from deployer.domain.secrecy import hide

MAX_LINE = 2_000  # characters
MAX_LOOKED_AT = 2 * MAX_LINE  # of a line, however long it is

# CSI and OSC sequences (colours, cursor, titles), then every other two-character escape.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
# Also what turns the direction of text around or ends a line where no line ends: with it, text reads as what it is not.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def plain(line: str) -> str:
    """A line without terminal codes: as it came otherwise."""
    return _ANSI.sub("", line)


def clean(line: str) -> str:
    """One line of text as it may be kept: no control characters, no terminal codes, no secrets, bounded."""
    # Progress bars rewrite their line after a carriage return; what they wrote last is what a terminal would show.
    line = line.rstrip("\r").rpartition("\r")[2][:MAX_LOOKED_AT]
    # Secrets go before it is cut, else half of one would not be known for one.
    line = hide(_CONTROL.sub("", plain(line)))
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"


def sentence(text: str) -> str:
    """The same, for a text that may have come as several lines."""
    return clean(" ".join(text.split("\n")).replace("\r", " "))
