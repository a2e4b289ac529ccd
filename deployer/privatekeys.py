"""Private keys as people paste them: what their public half is, so that a person recognises them later."""

from __future__ import annotations

import base64
import binascii
import struct

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from deployer.domain.errors import N_, Invalid
from deployer.domain.reach import fingerprint

MAX_KEY = 32_768  # characters
MAX_ROUNDS = 1_000  # of bcrypt: about ten seconds; ssh-keygen takes 16 to 24
_HEADERS = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN ")


def public_of(text: str, passphrase: str) -> str:
    """The fingerprint and the type of a private key. Raises Invalid on ``key`` or ``passphrase``; no message repeats
    any of either."""
    if _rounds(text) > MAX_ROUNDS:
        raise Invalid(
            N_("The passphrase of this key takes too long to check."),
            N_("Write the key anew with fewer rounds: ssh-keygen -p -a 16 -f FILE"),
            "key",
        )
    data, secret = text.encode("utf-8", "replace"), passphrase.encode("utf-8", "replace") or None
    load = serialization.load_ssh_private_key if text.startswith(_HEADERS[0]) else serialization.load_pem_private_key
    try:
        key = load(data, secret)
        line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    except TypeError:  # cryptography's way to say so
        if secret is None:
            raise Invalid(N_("This key has a passphrase."), N_("Give it with the key."), "passphrase") from None
        raise Invalid(N_("This key has no passphrase."), N_("Leave the passphrase out."), "passphrase") from None
    except UnsupportedAlgorithm:
        raise Invalid(
            N_("This kind of key, or the cipher of its passphrase, is not known here."),
            N_("Use an Ed25519, ECDSA or RSA key. Without its passphrase it is sealed all the same."),
            "key",
        ) from None
    except (ValueError, AttributeError):
        if secret is not None and text.startswith(_HEADERS):
            raise Invalid(
                N_("The key cannot be read with this passphrase."), N_("Check both and try again."), "passphrase"
            ) from None
        raise Invalid(
            N_("This is not a private key."),
            N_("Give the whole file, from its BEGIN line to its END line; the file whose name ends in .pub is not it."),
            "key",
        ) from None
    kind, _, rest = line.decode().partition(" ")
    return f"{fingerprint(f'{kind} {rest}')} ({kind})"


def _rounds(text: str) -> int:
    """How many rounds of bcrypt an OpenSSH key asks for; 0 when it asks for none or is none."""
    if not text.startswith(_HEADERS[0]):
        return 0
    try:
        data = base64.b64decode("".join(line for line in text.splitlines() if "-" not in line)[:2000], validate=False)
        at = len(b"openssh-key-v1\0")
        for _ in range(2):  # the cipher and the way to its key, by name
            at += 4 + struct.unpack_from(">I", data, at)[0]
        (length,) = struct.unpack_from(">I", data, at)
        return int(struct.unpack_from(">I", data, at + length)[0]) if length else 0  # the last four bytes
    except (binascii.Error, struct.error):
        return 0
