"""Private keys to try things with; they open nothing."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PASSPHRASE = "open-sesame-7f3a"


def openssh() -> str:
    """A new key as ssh-keygen writes it."""
    return _text(ed25519.Ed25519PrivateKey.generate(), serialization.PrivateFormat.OpenSSH)


def pem(passphrase: str = PASSPHRASE) -> str:
    """A new key as OpenSSL writes it, behind a passphrase."""
    how = serialization.BestAvailableEncryption(passphrase.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how).decode()


def old_rsa() -> str:
    """A new key as ssh-keygen wrote it once."""
    return _text(rsa.generate_private_key(65537, 2048), serialization.PrivateFormat.TraditionalOpenSSL)


def _text(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, how: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, how, serialization.NoEncryption()).decode()
