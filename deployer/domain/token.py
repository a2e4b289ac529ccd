"""The token of a plan that was shown to a person: what exactly it said, and when that was true."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deployer.domain.errors import N_, Conflict, Invalid, Note

TOKEN = re.compile(r"(0|[1-9][0-9]{0,17})-([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class PlanToken:
    """``rev`` is the service's revision at which the plan was made, ``digest`` says what it was."""

    rev: int
    digest: str

    def __str__(self) -> str:
        """As it travels; :func:`parse_plan_token` reads it back. At most 83 characters."""
        return f"{self.rev}-{self.digest}"


class PlanChanged(Conflict):
    """What would happen now is not what the person was shown. ``notes`` say what has changed meanwhile."""

    def __init__(self, notes: tuple[Note, ...]) -> None:
        super().__init__(
            N_("What would happen now is not what you were shown."),
            N_("Nothing was started. Look at the plan as it is now, then try again."),
            "plan",
            notes=notes,
        )


def parse_plan_token(text: str) -> PlanToken:
    """The token that ``text`` spells. Raises :class:`Invalid` on ``plan``."""
    found = TOKEN.fullmatch(text)
    if found is None:
        raise Invalid(
            N_("This is not the token of a plan."),
            N_("Ask for the plan again and send the token it comes with."),
            "plan",
        )
    return PlanToken(int(found[1]), found[2])
