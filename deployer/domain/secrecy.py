"""Secrets in what programs print. A log is read by everybody who may see a service, and a program that fails often
prints how it was called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST = 6  # characters of a known secret; a shorter one would be found everywhere

_NAME = r"[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)[\w.-]*"
_PATTERNS = (
    # https://ann:SECRET@example.org
    re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}:)[^\s/@]+(?=@)", re.IGNORECASE),
    # Authorization: Bearer SECRET
    re.compile(r"(?P<before>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE),
    # PASSWORD=SECRET, --api-key=SECRET, "token": "SECRET", ?access_token=SECRET
    re.compile(
        rf"""(?P<before>\b{_NAME}["']?\s?(?:=|(?<=["'])\s?:)\s?["']?)(?!\[hidden\])[^\s"',;&]+""", re.IGNORECASE
    ),
    # password: hunter2; and not "password: wrong"
    re.compile(rf"""(?P<before>\b{_NAME}:\s["']?)(?=[^\s"',;&]*[0-9])[^\s"',;&]{{6,}}""", re.IGNORECASE),
    # --password SECRET
    re.compile(rf"(?P<before>(?<!\S)--?{_NAME}\s)(?!-)\S+", re.IGNORECASE),
    # What some programs' own secrets look like.
    re.compile(
        r"(?P<before>)(?:\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{36,}|\bgithub_pat_\w{22,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}"
        r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}|\bdpl_[\w-]{20,})"
    ),
)
_BEGIN = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_END = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")
LONGEST_KEY = 400  # lines after which it is taken for something else


def hide(line: str) -> str:
    """``line`` without what looks like a secret."""
    for pattern in _PATTERNS:
        line = pattern.sub(rf"\g<before>{HIDDEN}", line)
    return line


def hide_known(line: str, secrets: Iterable[str]) -> str:
    """``line`` without these very secrets, and without any line of them."""
    for secret in secrets:
        for part in secret.splitlines():
            if len(part.strip()) >= SHORTEST:
                line = line.replace(part.strip(), HIDDEN)
    return line


class PrivateKeys:
    """Private keys in the lines of one stream: what stands between their first and last line is hidden."""

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
