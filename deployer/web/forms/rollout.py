"""The main form: where to, on which hosts, how it goes, and the plan that was shown."""

from __future__ import annotations

from dataclasses import replace

from werkzeug.datastructures import MultiDict
from wtforms.widgets import HiddenInput

from deployer.domain.errors import N_, Invalid
from deployer.domain.hosts import parse_host_ids
from deployer.domain.ids import parse_known, parse_version_id
from deployer.domain.names import parse_text
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, OnFailure
from deployer.domain.strategy import Strategy, parse_stop_after, parse_wave_size
from deployer.domain.token import parse_plan_token
from deployer.web.forms.base import Parsed, StrictForm, by, one_of, yes_no


class RolloutForm(StrictForm):
    """Upgrade or revert: the same fields in both directions (S3)."""

    dest_version = Parsed(N_("Target version"), parse_version_id)
    host = Parsed(N_("Hosts"), parse_host_ids)
    reason = Parsed(N_("Why"), by(parse_text, "reason", 200), empty="")
    wave_size = Parsed(N_("Wave size"), parse_wave_size)
    # What is left out is the default; what is sent empty is refused, because a person meant to say something.
    stop_after = Parsed(N_("Stop after"), parse_stop_after, default="1")
    pause_after_first = Parsed(N_("Pause after the first wave"), yes_no("pause_after_first"), default="false")
    on_failure = Parsed(
        N_("On failure"),
        one_of(
            "on_failure",
            {choice.value: choice for choice in OnFailure},
            N_("This does not say what to do on failure."),
            N_("Use one of: %(choices)s."),
        ),
        default=OnFailure.STOP.value,
    )
    plan = Parsed(N_("Plan"), parse_plan_token, empty=None, widget=HiddenInput())

    def command(self, service_id: int, version_id: int, action: Action) -> StartRollout:
        """What was asked for; call it on a form that :meth:`read` returned."""
        return StartRollout(
            service_id=service_id,
            from_version_id=version_id,
            action=action,
            to_version_id=self.dest_version.value,
            hosts=self.host.value,
            reason=self.reason.value,
            strategy=Strategy(
                wave_size=self.wave_size.value,
                stop_after=self.stop_after.value,
                pause_after_first=self.pause_after_first.value,
                on_failure=self.on_failure.value,
            ),
            token=self.plan.value,
        )


class PageRolloutForm(RolloutForm):
    """As the page sends it: a person is asked whether they know what they go back past; a program reads the plan."""

    crosses = Parsed(N_("Versions on the way back"), parse_known, empty=frozenset())

    def command(self, service_id: int, version_id: int, action: Action) -> StartRollout:
        """What was asked for, and what the person knows."""
        return replace(super().command(service_id, version_id, action), knows=self.crosses.value)


def join_ticked(values: MultiDict[str, str]) -> MultiDict[str, str]:
    """Tick boxes (``host_id``, many) as the one text ``host`` that the rule reads. Raises Invalid when both came."""
    if "host_id" not in values:
        return values
    if "host" in values:
        raise Invalid(
            N_("These are two answers to which hosts."), N_("Tick either every host or single hosts."), "host"
        )
    joined = MultiDict((name, value) for name, value in values.items() if name != "host_id")
    joined["host"] = ",".join(values.getlist("host_id"))
    return joined
