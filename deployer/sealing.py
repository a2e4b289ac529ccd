"""Secrets that the console can write and only workers can read.

A worker owns an X25519 key; its public half is in the database. To seal is to make another key for this one secret,
agree with the public half, and encrypt under what comes of it (HKDF-SHA256, Fernet). The name of the credential takes
part, so that nobody who can write to the database can put one credential's secret in the place of another's.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deployer import private_files
from deployer.domain.reach import Credential, Secret

VARIABLE = "CREDENTIAL_KEYS"
FILE = "credential.key"
_FORMAT = b"\x01"
_SIZE = 32  # bytes of a key
AS_THE_WORKER = "Run deployer doctor as the worker's user, with the worker's settings"
_MAKE = "python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'"


class BadKeys(Exception):
    """The worker's keys cannot be used. The message says how to mend it, and repeats none of them."""


class CannotOpen(Exception):
    """This worker holds no key that opens the secret."""


@dataclass(frozen=True)
class Keys:
    """The private keys that a worker holds, the newest first."""

    privates: tuple[bytes, ...] = field(repr=False)

    @property
    def publics(self) -> tuple[str, ...]:
        """Their public halves, in the same order."""
        return tuple(_text(_public(private)) for private in self.privates)

    def open(self, sealed: bytes, name: str) -> Secret:
        """The secret of the credential ``name``. Raises :class:`CannotOpen`."""
        begin, recipient, once, token = sealed[:1], sealed[1:33], sealed[33:65], sealed[65:]
        for private in self.privates:
            if begin == _FORMAT and _public(private) == recipient:
                with contextlib.suppress(InvalidToken, ValueError, TypeError):
                    shared = X25519PrivateKey.from_private_bytes(private).exchange(
                        X25519PublicKey.from_public_bytes(once)
                    )
                    return Secret(**json.loads(_cipher(shared, recipient + once, name).decrypt(token)))
        raise CannotOpen(f"This worker holds no key that opens the credential {name}.")


def seal(secret: Secret, name: str, public: str) -> bytes:
    """The secret of the credential ``name``, for the workers that hold the private half of ``public``."""
    recipient = base64.b64decode(public)
    ours = X25519PrivateKey.generate()
    once = ours.public_key().public_bytes_raw()
    shared = ours.exchange(X25519PublicKey.from_public_bytes(recipient))
    token = _cipher(shared, recipient + once, name).encrypt(json.dumps(asdict(secret)).encode())
    return _FORMAT + recipient + once + token


def held(home: Path, environ: Mapping[str, str] | None = None) -> Keys:
    """The keys of this worker: those in ``CREDENTIAL_KEYS``, else in the home, where one is made if there is none.
    Raises :class:`BadKeys`."""
    keys = found(home, environ)
    if keys is None:
        _make(_file(home))
        keys = found(home, environ)
    if keys is None:
        raise BadKeys(f"{_file(home)} has gone while it was looked at. Run the command again.")
    return keys


def found(home: Path, environ: Mapping[str, str] | None = None) -> Keys | None:
    """The same, or None when there are none; makes none. Raises :class:`BadKeys`."""
    written = (os.environ if environ is None else environ).get(VARIABLE, "")
    if written:
        return _read(written.split(","), VARIABLE)
    file = _file(home)
    try:
        mode, words = file.stat().st_mode, file.read_bytes().decode("ascii", "replace").split()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadKeys(f"{file} cannot be read: {error.strerror}. {AS_THE_WORKER}.") from error
    if mode & 0o077:
        raise BadKeys(f"{file} can be read by others. Run: chmod 600 '{file}'")
    return _read(words, str(file))


def renewed(home: Path, environ: Mapping[str, str] | None = None) -> Keys:
    """As :func:`held`, with a new key before the others; one of ``CREDENTIAL_KEYS`` has to be put there by whoever sets
    it."""
    if (os.environ if environ is None else environ).get(VARIABLE):
        return held(home, environ)
    keys = held(home, environ)
    private_files.put(_file(home), _lines([os.urandom(_SIZE), *keys.privates]))
    return held(home, environ)


def open_credential(home: Path, credential: Credential) -> Secret:
    """The secret of a credential that came with a place. Raises :class:`CannotOpen` and :class:`BadKeys`."""
    keys = found(home)
    if keys is None:  # none is made here: it would open nothing, and hide that the others are gone
        raise CannotOpen(f"The keys of this worker are gone; the credential {credential.name} cannot be opened.")
    return keys.open(credential.sealed or b"", credential.name)


def _cipher(shared: bytes, salt: bytes, name: str) -> Fernet:
    derived = HKDF(hashes.SHA256(), 32, salt, b"deployer credential " + name.encode()).derive(shared)
    return Fernet(base64.urlsafe_b64encode(derived))


def _public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _read(words: list[str], where: str) -> Keys:
    try:
        privates = tuple(base64.b64decode(word.strip(), validate=True) for word in words)
    except (binascii.Error, ValueError):
        privates = ()
    if not privates or any(len(private) != _SIZE for private in privates):
        raise BadKeys(
            f"{where} is not a list of keys: 32 bytes in base64 each, the newest first. Make one with: {_MAKE}"
        )
    return Keys(privates)


def _file(home: Path) -> Path:
    return home / FILE


def _make(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_files.make_once(file, _lines([os.urandom(_SIZE)]))


def _lines(privates: Iterable[bytes]) -> str:
    return "".join(f"{_text(private)}\n" for private in privates)
