"""How a host is reached over SSH: as whom, at which port, through which other host, and with what."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from deployer.domain.errors import N_, Invalid
from deployer.domain.names import parse_address, parse_directory, parse_port

MAX_LABELS = 20  # of one host
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=/-]{0,63}", re.ASCII)
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)
_KEY_TYPE = re.compile(r"[a-z0-9@.-]{1,64}", re.ASCII)
# As much as a unique index of PostgreSQL takes with the rest of its row: RSA of 8,192 bits, and not of 16,384.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{20,1980}={0,2}", re.ASCII)


@dataclass(frozen=True)
class Login:
    """As whom, where and through what a host is entered. "" and None leave it to the worker's own configuration."""

    user: str = ""
    port: int | None = None
    jump: str = ""  # [user@]host[:port], as parse_jump gives it


@dataclass(frozen=True)
class Jump:
    """A host on the way to another one."""

    user: str
    host: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}:{self.port}" if self.port else f"{user}{host}"


class CredentialKind(StrEnum):
    """What a worker shows to be let in."""

    KEY = "key"  # a private key, sealed
    PASSWORD = "password"  # noqa: S105 (the word; a sealed password)
    FILE = "file"  # a private key in a file on the worker's machine


@dataclass(frozen=True)
class Credential:
    """What a worker shows to a host. ``public`` is a key's fingerprint or a file's path; a file has no ``sealed``."""

    id: int
    name: str
    kind: CredentialKind
    public: str
    sealed: bytes | None


@dataclass(frozen=True)
class Secret:
    """What is sealed: a private key with its passphrase, or a password. Never printed."""

    key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def parse_user(text: str, field: str) -> str:
    """A user's name on a host; never one that a program would take for an option."""
    if _USER.fullmatch(text):
        return text
    raise Invalid(
        N_("This is not a user name."),
        N_("Give 1 to 64 letters, digits and the characters . _ @ + - and begin with a letter, a digit or _."),
        field,
    )


def split_jump(text: str, field: str = "jump") -> Jump:
    """The parts of ``[user@]host[:port]``; an IPv6 address stands in brackets. Raises Invalid."""
    user, at, place = text.rpartition("@")
    port = ""
    if place.startswith("["):
        host, closed, rest = place[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        is_whole = bool(closed) and (not colon or (colon == ":" and bool(port)))
    else:
        host, colon, port = place.partition(":")
        is_whole = bool(port) or not colon
    try:
        if not is_whole or (at and not user):
            raise Invalid("", field=field)
        return Jump(
            parse_user(user, field) if user else "",
            parse_address(host, field),
            parse_port(port, field) if port else None,
        )
    except Invalid:
        raise Invalid(
            N_("This is not a host to go through."),
            N_("Give user@host:port; the user and the port may be left out, an IPv6 address stands in brackets."),
            field,
        ) from None


def parse_jump(text: str, field: str = "jump") -> str:
    """The same, as it is kept."""
    return str(split_jump(text, field))


def parse_labels(text: str, field: str = "labels") -> tuple[str, ...]:
    """Words separated by blanks or commas, each once, in order."""
    words = sorted(set(re.split(r"[,\s]+", text)) - {""})
    if len(words) > MAX_LABELS:
        raise Invalid(N_("These are too many labels."), N_("A host has at most %(most)s."), field, {"most": MAX_LABELS})
    if not all(_LABEL.fullmatch(word) for word in words):
        raise Invalid(
            N_("This is not a list of labels."),
            N_(
                "Give words separated by blanks: letters, digits and the characters . _ = / - up to 64 in each, and "
                "begin with a letter or a digit."
            ),
            field,
        )
    return tuple(words)


def parse_fingerprint(text: str, field: str = "fingerprint") -> str:
    """The SHA-256 fingerprint of a key, as ssh-keygen prints it."""
    if FINGERPRINT.fullmatch(text):
        return text
    raise Invalid(
        N_("This is not the fingerprint of a key."),
        N_("Give it as ssh-keygen prints it: SHA256: and 43 characters."),
        field,
    )


def parse_key_file(text: str, field: str = "path") -> str:
    """The path of a private key on the worker's machine: absolute, or below its home with ``~/``."""
    below_home = text.startswith("~/")
    try:
        found = parse_directory(text.removeprefix("~"), field)
    except Invalid:
        raise Invalid(
            N_("This is not the path of a file."),
            N_("Give an absolute path or one that begins with ~/ and no .. in it."),
            field,
        ) from None
    return f"~{found}" if below_home else found


def is_loopback(address: str) -> bool:
    """Whether only this machine can connect to ``address``."""
    with contextlib.suppress(ValueError):
        return ip_address(address).is_loopback
    return False


def is_host_key(text: str) -> bool:
    """Whether ``text`` has the shape of a public key that can be kept: its type, a blank, its bytes in base64."""
    kind, blank, data = text.partition(" ")
    return bool(blank and _KEY_TYPE.fullmatch(kind) and _BASE64.fullmatch(data))


def fingerprint(key: str) -> str:
    """The SHA-256 fingerprint of a public key that :func:`is_host_key` accepts, as ssh-keygen prints it."""
    data = key.partition(" ")[2]
    try:
        raw = base64.b64decode(data + "=" * (-len(data) % 4))
    except binascii.Error:
        raw = data.encode()
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
