"""Refusals in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext

from deployer.domain.errors import N_, Note, Refused

# The facts that are words of this product, by their slot. What fills any other slot is somebody's name or a value of
# the wire, and stays as it is.
WORDS = {
    "noun": frozenset(
        {
            N_("credential"),
            N_("host"),
            N_("host key"),
            N_("instance"),
            N_("rollout"),
            N_("service"),
            N_("sign-in"),
            N_("step"),
            N_("token"),
            N_("user"),
            N_("version"),
        }
    ),
    "state": frozenset(
        {
            N_("queued"),
            N_("running"),
            N_("cancelling"),
            N_("succeeded"),
            N_("failed"),
            N_("cancelled"),
            N_("paused"),
            N_("stopping"),
            N_("skipped"),
        }
    ),
    "status": frozenset({N_("pending"), N_("building"), N_("success"), N_("timeout"), N_("failed"), N_("duplicate")}),
}


def word(text: str) -> str:
    """One of this product's own words."""
    translated: str = gettext(text)
    return translated


def summary(refused: Refused) -> str:
    """What was wrong, in one sentence: the wire's ``msg``."""
    return _filled(refused.message, refused.facts)


def hint(refused: Refused) -> str:
    """What to do about it; "" when there is nothing to add."""
    return _filled(refused.hint, refused.facts) if refused.hint else ""


def note(one: Note) -> str:
    """One sentence, after the name of what it is about."""
    text = _filled(one.message, one.facts)
    return f"{one.about}: {text}" if one.about else text


def lines(refused: Refused) -> list[str]:
    """The same as :func:`whole`, a sentence for each thing."""
    return [line for line in (summary(refused), *map(note, refused.notes), hint(refused)) if line]


def whole(refused: Refused) -> str:
    """Everything, for the place beneath the field."""
    return " ".join(lines(refused))


def _filled(text: str, facts: Mapping[str, object]) -> str:
    words = {slot: gettext(fact) if fact in WORDS.get(slot, ()) else fact for slot, fact in facts.items()}
    translated: str = gettext(text)
    return translated % words if words else translated
