"""The main form: where to, on which hosts."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from deployer.domain.errors import N_, Invalid
from deployer.domain.hosts import parse_host_ids
from deployer.domain.ids import parse_version_id
from deployer.domain.names import parse_text
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.web.forms.base import Parsed, StrictForm, by


class RolloutForm(StrictForm):
    """Upgrade or revert: the same fields in both directions (S3)."""

    dest_version = Parsed(N_("Target version"), parse_version_id)
    host = Parsed(N_("Hosts"), parse_host_ids)
    reason = Parsed(N_("Why"), by(parse_text, "reason", 200), empty="")

    def command(self, service_id: int, version_id: int, action: Action) -> StartRollout:
        """What was asked for; call it on a form that :meth:`read` returned."""
        return StartRollout(
            service_id=service_id,
            from_version_id=version_id,
            action=action,
            to_version_id=self.dest_version.value,
            hosts=self.host.value,
            reason=self.reason.value,
        )


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
