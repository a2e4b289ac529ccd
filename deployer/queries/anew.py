"""Reading what is there now, and not what was there when the transaction began."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from deployer.extensions import db

T = TypeVar("T")


def anew(read: Callable[[], T]) -> T:
    """What ``read`` tells in a transaction that begins now. On SQLite one sees the world as it was when its first
    statement ran; what is kept for others must not be older than what they know already."""
    db.session.rollback()
    return read()
