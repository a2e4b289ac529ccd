"""Hashing passwords with argon2id, and checking them in a time that tells nothing."""

from __future__ import annotations

import functools
import secrets

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from deployer.domain.passwords import MAX_PASSWORD

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return _hasher.hash(password)


def verify(known: str, password: str) -> bool:
    """Whether ``password`` is what ``known`` was made of. ``known`` may be "", which nothing matches: that takes as
    long."""
    try:
        return _hasher.verify(known or _nobody(), password[:MAX_PASSWORD]) and bool(known)
    except (VerificationError, InvalidHashError):
        return False


def is_outgrown(known: str) -> bool:
    """Whether a hash was made with less effort than one is made now."""
    old = extract_parameters(known)
    return (old.time_cost, old.memory_cost) != (_hasher.time_cost, _hasher.memory_cost) and (
        old.time_cost <= _hasher.time_cost and old.memory_cost <= _hasher.memory_cost
    )


@functools.cache
def _nobody() -> str:
    """The hash of a password that nobody has."""
    return _hasher.hash(secrets.token_hex(16))
