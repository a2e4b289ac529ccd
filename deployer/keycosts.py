"""How much work the passphrase of a private key asks for, read before any of it is done: whoever sends a key chooses
it, and a thread of the console does it."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterator

# About ten seconds each on a slow core.
MAX_ROUNDS = 1_000  # of bcrypt; ssh-keygen takes 16 to 24
MAX_ITERATIONS = 5_000_000  # of PBKDF2 and its forerunners; openssl takes 2,048, others up to a million
MAX_SCRYPT = 1 << 23  # N * r * p; openssl takes 2^17
MAX_SCRYPT_MEMORY = 1 << 20  # N * r, in 128 bytes

_OPENSSH = re.compile(r"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END ", re.DOTALL)
_PKCS8 = re.compile(r"-----BEGIN ENCRYPTED PRIVATE KEY-----(.*?)-----END ", re.DOTALL)
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_INTEGER, _OID, _SEQUENCE, _CONSTRUCTED = 0x02, 0x06, 0x30, 0x20


def is_bearable(text: str) -> bool:
    """Whether the passphrase of every key in ``text`` can be tried. Raises ValueError when it cannot be read how much
    that would take."""
    return all(_openssh_is_bearable(_decoded(found)) for found in _OPENSSH.findall(text)) and all(
        _pkcs8_is_bearable(_decoded(found)) for found in _PKCS8.findall(text)
    )


def _decoded(text: str) -> bytes:
    try:  # what is no base64 is skipped, as whoever loads the key does
        return base64.b64decode(text.encode("ascii", "replace"))
    except binascii.Error as error:
        raise ValueError("this is not base64") from error


def _openssh_is_bearable(data: bytes) -> bool:
    try:
        at = len(b"openssh-key-v1\0")
        for _ in range(2):  # the cipher and the way to its key, by name
            at += 4 + struct.unpack_from(">I", data, at)[0]
        (length,) = struct.unpack_from(">I", data, at)
        return not length or int(struct.unpack_from(">I", data, at + length)[0]) <= MAX_ROUNDS  # the last four bytes
    except struct.error as error:
        raise ValueError("this is not an OpenSSH key") from error


def _pkcs8_is_bearable(data: bytes) -> bool:
    algorithm = _first(_first(data))
    numbers, names = [], set()
    for tag, content in _leaves(algorithm):
        if tag == _INTEGER:
            numbers.append(int.from_bytes(content, signed=True))
        elif tag == _OID:
            names.add(content)
    if _SCRYPT in names:
        n, r, p, *_ = [*numbers, 0, 0, 0]
        if n * r > MAX_SCRYPT_MEMORY or n * r * p > MAX_SCRYPT:
            return False
    return all(number <= MAX_ITERATIONS for number in numbers)


def _first(data: bytes) -> bytes:
    """What is in the sequence with which ``data`` begins."""
    tag, content = next(_values(data), (0, b""))
    if tag != _SEQUENCE:
        raise ValueError("this is not an encrypted key")
    return content


def _leaves(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The values in ``data`` that have no values in them, in order."""
    waiting = [_values(data)]
    while waiting:
        value = next(waiting[-1], None)
        if value is None:
            waiting.pop()
        elif value[0] & _CONSTRUCTED:
            waiting.append(_values(value[1]))
        else:
            yield value


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The values of ASN.1 side by side in ``data``, in DER: tag and content."""
    at = 0
    while at < len(data):
        try:
            tag, length, at = data[at], data[at + 1], at + 2
        except IndexError:
            raise ValueError("a value without a length") from None
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size])
            at += size
        if at + length > len(data):
            raise ValueError("a value that is longer than what is there")
        yield tag, data[at : at + length]
        at += length
