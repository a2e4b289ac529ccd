"""What is done to a rollout's hosts once it is there: go on with them, undo them, try them again."""

from __future__ import annotations

from deployer.domain.errors import N_
from deployer.domain.hosts import parse_host_ids
from deployer.domain.ids import parse_known
from deployer.domain.token import parse_plan_token
from deployer.web.forms.base import Parsed, StrictForm


class ResumeForm(StrictForm):
    """With which of the hosts that wait it goes on; the others are left out."""

    host = Parsed(N_("Hosts"), parse_host_ids)


class FollowUpForm(StrictForm):
    """On which hosts, and the token of the plan that was shown for exactly these."""

    host = Parsed(N_("Hosts"), parse_host_ids)
    plan = Parsed(N_("Plan"), parse_plan_token, empty=None)


class ReviewedForm(FollowUpForm):
    """As the page sends it. ``shown`` are the hosts that the plan on the page was for, ``crosses`` what it goes back
    past, as far as the person knows."""

    shown = Parsed(N_("Hosts of the plan"), parse_host_ids, empty=None)
    crosses = Parsed(N_("Versions on the way back"), parse_known, empty=frozenset())

    @property
    def is_reviewed(self) -> bool:
        """Whether the person has seen what will happen to exactly these hosts; all of them need no second look."""
        hosts, shown = self.host.value, self.shown.value
        return hosts.everyone or (shown is not None and set(hosts.ids) == set(shown.ids))
