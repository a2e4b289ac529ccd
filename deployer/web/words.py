"""Refusals in the reader's language."""

from __future__ import annotations

from flask_babel import gettext

from deployer.domain.errors import Refused


def summary(refused: Refused) -> str:
    """What was wrong, in one sentence: the wire's ``msg``."""
    return _filled(refused.message, refused)


def hint(refused: Refused) -> str:
    """What to do about it; "" when there is nothing to add."""
    return _filled(refused.hint, refused) if refused.hint else ""


def whole(refused: Refused) -> str:
    """Both, for the place beneath the field."""
    return " ".join(part for part in (summary(refused), hint(refused)) if part)


def _filled(text: str, refused: Refused) -> str:
    translated: str = gettext(text)
    return translated % refused.facts if refused.facts else translated
