"""Private keys as people paste them: what their public half is, so that a person recognises them later."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from deployer.domain.errors import N_, Invalid
from deployer.domain.reach import fingerprint
from deployer.keycosts import is_bearable

MAX_KEY = 32_768  # characters
_HEADERS = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN ")


def public_of(text: str, passphrase: str) -> str:
    """The fingerprint and the type of a private key. Raises Invalid on ``key`` or ``passphrase``; no message repeats
    any of either."""
    try:
        bearable = is_bearable(text)
    except ValueError:
        raise _no_key() from None
    if not bearable:
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
        raise _no_key() from None
    kind, _, rest = line.decode().partition(" ")
    return f"{fingerprint(f'{kind} {rest}')} ({kind})"


def _no_key() -> Invalid:
    return Invalid(
        N_("This is not a private key."),
        N_("Give the whole file, from its BEGIN line to its END line; the file whose name ends in .pub is not it."),
        "key",
    )
