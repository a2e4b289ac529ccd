"""A token for a program."""

from __future__ import annotations

from deployer.domain.access import Scope
from deployer.domain.errors import N_
from deployer.domain.names import parse_name
from deployer.web.forms.base import Parsed, StrictForm, by, one_of


class TokenForm(StrictForm):
    """What it is called, and what it may be used for at most."""

    name = Parsed(N_("Name"), by(parse_name, "name"))
    scope = Parsed(
        N_("May"),
        one_of(
            "scope",
            {scope.value: scope for scope in Scope},
            N_("This is not a scope."),
            N_("Use one of: %(choices)s."),
        ),
    )
