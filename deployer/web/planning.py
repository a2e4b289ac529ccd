"""What will happen, as the dialog tells it before anything does: the plan, or why there is none yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from deployer.domain.errors import Forbidden, NotFound, Refused
from deployer.domain.plan import PlannedStep
from deployer.domain.status import Action
from deployer.domain.token import PlanToken
from deployer.queries import plans
from deployer.queries.plans import Preview
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.rollout import RolloutForm, join_ticked
from deployer.web.words import whole

LISTED = 500  # lines of waves and hosts; what is beyond is counted
IN_SIGHT = 12  # hosts of a plan whose waves are not folded


@dataclass(frozen=True)
class Wave:
    """A wave with its first hosts; ``more`` hosts are not listed."""

    number: int
    steps: tuple[PlannedStep, ...]
    more: int

    @property
    def hosts(self) -> int:
        """How many there are in all."""
        return len(self.steps) + self.more


@dataclass(frozen=True)
class Outlook:
    """The plan of what was chosen, or ``why_not``: sentences for the person."""

    preview: Preview | None = None
    why_not: tuple[str, ...] = ()
    chosen: bool = True  # whether anything is

    def is_as_of(self, token: PlanToken) -> bool:
        """Whether there is a plan, of the very world that ``token`` was given for."""
        return self.preview is not None and self.preview.is_as_of(token)

    @property
    def hosts(self) -> int:
        """How many hosts the plan is about."""
        return len(self.preview.plan.steps) if self.preview else 0

    @property
    def listed(self) -> list[Wave]:
        """The waves, as far as there is room for them."""
        found, room = [], LISTED
        for number, steps in enumerate(self.preview.plan.waves if self.preview else (), start=1):
            room -= 1
            if room <= 0:
                break
            found.append(Wave(number, steps[:room], len(steps[room:])))
            room -= len(steps)
        return found

    @property
    def waves(self) -> int:
        """How many waves there are in all."""
        return len(self.preview.plan.waves) if self.preview else 0

    @property
    def folded(self) -> bool:
        """Whether the hosts of a wave only show when somebody opens it."""
        return self.hosts > IN_SIGHT

    @property
    def pauses(self) -> bool:
        """Whether there is a wave to pause before."""
        return self.preview is not None and self.preview.plan.strategy.pause_after_first and self.waves > 1

    @property
    def may_stop(self) -> bool:
        """Whether so many hosts can fail that it stops."""
        return self.preview is not None and self.preview.plan.strategy.stop_after <= self.hosts


def look(service_id: int, version_id: int, action: Action, values: MultiDict[str, str]) -> Outlook:
    """What would happen if ``values`` were sent, by the rules that they will be judged by.

    A refusal that no other choice can mend is raised.
    """
    try:
        values = join_ticked(values)
        if not values.get("host"):
            return Outlook(chosen=False)
        return Outlook(plans.rollout(RolloutForm.read(values).command(service_id, version_id, action)))
    except RefusedInput as problem:
        return Outlook(why_not=tuple(whole(refused) for refused in problem.refusals.values()))
    except Refused as refused:
        if isinstance(refused, Forbidden) or (isinstance(refused, NotFound) and not refused.field):
            raise
        return Outlook(why_not=(whole(refused),))


def known(typed: Mapping[str, str]) -> dict[str, str]:
    """What of ``typed`` says which versions on the way back the person knows of."""
    return {"crosses": typed["crosses"]} if "crosses" in typed else {}


def still_standing(typed: MultiDict[str, str], ticked: Iterable[int]) -> MultiDict[str, str]:
    """What was typed, without ticks that are gone and without the token of a plan that is made anew."""
    values = MultiDict((name, typed[name]) for name in RolloutForm.field_names() if name in typed and name != "plan")
    values.update({"host_id": [str(host_id) for host_id in sorted(ticked)]})
    return values
