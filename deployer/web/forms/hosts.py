"""Add a host, change it, approve its keys."""

from __future__ import annotations

from wtforms.widgets import TextArea

from deployer.domain.errors import N_, Invalid
from deployer.domain.machine import NewHost
from deployer.domain.names import parse_address, parse_directory, parse_hostname, parse_name, parse_port, parse_text
from deployer.domain.reach import parse_fingerprint, parse_jump, parse_labels, parse_user
from deployer.domain.status import Reach
from deployer.queries.hosts import HostRow
from deployer.web.forms.base import Parsed, StrictForm, by, one_of, yes_no

OF_SSH = ("ssh_user", "ssh_port", "jump", "credential")


class HostForm(StrictForm):
    """A machine."""

    hostname = Parsed(N_("Name"), by(parse_hostname, "hostname"))
    address = Parsed(N_("Address"), by(parse_address, "address"))
    reach = Parsed(
        N_("Reached by"),
        one_of(
            "reach",
            {reach.value: reach for reach in Reach},
            N_("This is not a way to reach a host."),
            N_("Use one of: %(choices)s."),
        ),
        empty=Reach.LOCAL,
    )
    directory = Parsed(N_("Directory of its services"), by(parse_directory, "directory"))
    description = Parsed(N_("Description"), by(parse_text, "description", 2000), empty="", widget=TextArea())
    labels = Parsed(N_("Labels"), by(parse_labels, "labels"), empty=())
    ssh_user = Parsed(N_("SSH user"), by(parse_user, "ssh_user"), empty="")
    ssh_port = Parsed(N_("SSH port"), by(parse_port, "ssh_port"), empty=None)
    jump = Parsed(N_("Through the host"), by(parse_jump, "jump"), empty="")
    credential = Parsed(N_("Credential"), by(parse_name, "credential"), empty=None)

    def check(self) -> None:
        """As for any form; and a host on this machine has none of the fields that are for SSH."""
        refusals = self.refusals()
        if self.reach.value is Reach.LOCAL:
            for name in OF_SSH:
                if self[name].data and name not in refusals:
                    refusals[name] = Invalid(
                        N_("This is for hosts that are reached by SSH."),
                        N_("Leave it out, or let the host be reached by ssh."),
                        name,
                    )
        self.fail_with(refusals)

    def new(self) -> NewHost:
        """The host to add; call it on a form that :meth:`read` returned."""
        return NewHost(**{field.name: field.value for field in self})


def filled(host: HostRow) -> dict[str, str]:
    """What the form of a host says when it is opened to be changed."""
    return {
        "hostname": host.hostname,
        "address": host.address,
        "reach": host.reach.value,
        "directory": host.directory,
        "description": host.description,
        "labels": " ".join(host.labels),
        "ssh_user": host.login.user,
        "ssh_port": str(host.login.port or ""),
        "jump": host.login.jump,
        "credential": host.credential or "",
    }


class KeyForm(StrictForm):
    """A key that a host has shown, by its fingerprint."""

    fingerprint = Parsed(N_("Fingerprint"), by(parse_fingerprint, "fingerprint"))


class TrustForm(KeyForm):
    """A key to approve."""

    replace = Parsed(N_("It replaces the key that is approved now"), yes_no("replace"), empty=False)
