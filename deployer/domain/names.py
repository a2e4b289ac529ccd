"""What people and programs may call things: one strict reader per kind of text.

Each returns the value to keep, or raises :class:`~deployer.domain.errors.Invalid` for ``field``. A message never
repeats the value: it may be hostile, and the person who sent it still has it in front of them.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from deployer.domain.errors import N_, Invalid

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII)
_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_NUMBER_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
SHA256 = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_URL = re.compile(r"""https?://[^\x00-\x20\x7f-\U0010ffff"<>\\^`{|}]+""", re.ASCII | re.IGNORECASE)


def is_name(text: str) -> bool:
    """Whether ``text`` can name a service, a version or a tag."""
    return NAME.fullmatch(text) is not None


def parse_name(text: object, field: str) -> str:
    """The name of a service, a version label or a tag: safe as a file name and as one word of a command."""
    if isinstance(text, str) and is_name(text):
        return text
    raise Invalid(
        N_("This is not a usable name."),
        N_("Give 1 to 64 letters, digits and the characters . _ + - and begin with a letter or a digit."),
        field,
    )


def parse_hostname(text: object, field: str) -> str:
    """A host's name as in DNS, in lower case. Refuses what a resolver would take for a number, such as ``127.1``."""
    if isinstance(text, str) and len(text) <= 253:
        labels = text.split(".")
        if all(_HOST_LABEL.fullmatch(label) for label in labels) and not _NUMBER_LABEL.fullmatch(labels[-1]):
            return text.lower()
    raise Invalid(
        N_("This is not a host name."),
        N_("Give a name such as web-1 or web-1.example.org: letters, digits and hyphens, its parts joined by dots."),
        field,
    )


def parse_address(text: object, field: str) -> str:
    """Where a host is reached: an IPv4 or IPv6 address, or a host name."""
    if isinstance(text, str):
        try:
            # A zone ("%eth0") is free text to the parser and means nothing on another machine.
            address = ipaddress.ip_address(text) if "%" not in text else None
        except ValueError:
            address = None
        if address is not None and not (address.is_unspecified or address.is_multicast):
            return str(address)
        if address is None:
            try:
                return parse_hostname(text, field)
            except Invalid:
                pass
    raise Invalid(
        N_("This is not the address of one host."),
        N_("Give an IPv4 address such as 192.0.2.7, an IPv6 address without a zone, or a host name."),
        field,
    )


def parse_port(text: object, field: str) -> int:
    """A TCP port, from its decimal digits or, in JSON, a whole number."""
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text) if 0 < text <= 65535 else ""
    if isinstance(text, str) and _PORT.fullmatch(text) and int(text) <= 65535:
        return int(text)
    raise Invalid(
        N_("This is not a port."),
        N_("Give a whole number from 1 to 65535, in plain digits without leading zeros."),
        field,
    )


def parse_sha256(text: object, field: str) -> str:
    """A sha256 in hexadecimal, in lower case."""
    if isinstance(text, str) and SHA256.fullmatch(text):
        return text.lower()
    raise Invalid(N_("This is not a sha256."), N_("Give its 64 hexadecimal digits, as sha256sum prints them."), field)


def parse_directory(text: object, field: str) -> str:
    """An absolute directory on a host, without doubled or trailing slashes."""
    if isinstance(text, str) and text.startswith("/") and len(text) <= 1024 and not _unprintable(text):
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if parts and ".." not in parts:
            return str(PurePosixPath("/", *parts))
    raise Invalid(
        N_("This is not a directory that can be used."),
        N_("Give an absolute path such as /srv/deployer, without .. and without control characters."),
        field,
    )


def parse_compare_url(text: object, field: str) -> str:
    """Where two versions are compared: a URL with ``{from}`` and ``{to}`` for their source references."""
    if isinstance(text, str) and all(text.count(slot) == 1 for slot in ("{from}", "{to}")):
        parse_url(text.replace("{from}", "a").replace("{to}", "b"), field)
        return text
    raise Invalid(
        N_("This address has no place for the two versions."),
        N_("Write {from} and {to} where their source references go, each once."),
        field,
    )


def parse_text(text: object, field: str, limit: int) -> str:
    """Free text of at most ``limit`` characters; line ends become ``\\n``, blanks around it are dropped."""
    if not isinstance(text, str):
        raise Invalid(N_("This is not text."), N_("Give text, or leave it out."), field)
    text = text.replace("\r\n", "\n").strip()  # a browser sends \r\n for every line end of a text area
    if _unprintable(text, but="\n\t"):
        raise Invalid(
            N_("This text has characters that cannot be kept."),
            N_("Remove control characters such as NUL; line breaks and tabs may stay."),
            field,
        )
    if len(text) > limit:
        raise Invalid(N_("This text is too long."), N_("Give at most %(limit)s characters."), field, {"limit": limit})
    return text


def parse_url(text: object, field: str) -> str:
    """An http or https address without a user name or password in it."""
    if isinstance(text, str) and len(text) <= 2048 and _URL.fullmatch(text):
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port  # the port raises when it is not a number up to 65535
        except ValueError:
            host = None
        if host is not None and "@" in parts.netloc:
            raise Invalid(
                N_("This URL has credentials in it."),
                N_("Remove the user name and password: everyone who may read the page would see them."),
                field,
            )
        if host is not None and _is_address(host):
            return text
    raise Invalid(
        N_("This is not a usable URL."),
        N_("Give a complete http:// or https:// URL of at most 2048 characters, without spaces."),
        field,
    )


def _is_address(host: str) -> bool:
    try:
        parse_address(host, "")
    except Invalid:
        return False
    return True


def _unprintable(text: str, but: str = "") -> bool:
    """Whether ``text`` has control characters or lone surrogates, which neither databases nor terminals take well, or
    what turns the direction of text around, with which it reads as what it is not."""
    return any(
        (unicodedata.category(character) in ("Cc", "Cs") and character not in but) or character in _TURNS
        for character in text
    )
