"""Record an instance."""

from __future__ import annotations

import re

from wtforms.widgets import TextArea

from deployer.domain.errors import N_, Invalid
from deployer.domain.names import parse_name, parse_port, parse_text
from deployer.operations.fleet import NewInstance
from deployer.web.forms.base import Parsed, StrictForm, by, parse_an_id, yes_no

MAX_WEIGHT = 10_000


def parse_weight(text: str) -> int:
    """How much of the traffic an instance is meant for. Raises Invalid on ``weight``."""
    if re.fullmatch(r"0|[1-9][0-9]{0,4}", text, re.ASCII) and int(text) <= MAX_WEIGHT:
        return int(text)
    raise Invalid(
        N_("This is not a weight."),
        N_("Give a whole number from 0 to %(most)s."),
        "weight",
        {"most": MAX_WEIGHT},
    )


class InstanceForm(StrictForm):
    """A service that runs on a host already."""

    host_id = Parsed(N_("Host"), by(parse_an_id, "host_id"))
    version_id = Parsed(N_("Version that runs there"), by(parse_an_id, "version_id"))
    port = Parsed(N_("Port"), by(parse_port, "port"))
    tag = Parsed(N_("Tag"), by(parse_name, "tag"), empty="")
    weight = Parsed(N_("Weight"), parse_weight, empty=0)
    description = Parsed(N_("Description"), by(parse_text, "description", 2000), empty="", widget=TextArea())
    is_maintain = Parsed(N_("In maintenance"), yes_no("is_maintain"), empty=False)

    def new(self) -> NewInstance:
        """The instance to record; call it on a form that :meth:`read` returned."""
        return NewInstance(
            host_id=self.host_id.value,
            version_id=self.version_id.value,
            port=self.port.value,
            tag=self.tag.value,
            weight=self.weight.value,
            description=self.description.value,
            is_maintain=self.is_maintain.value,
        )
