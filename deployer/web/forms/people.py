"""A token for a program; another password."""

from __future__ import annotations

import re

from wtforms.widgets import PasswordInput

from deployer.domain.access import Scope
from deployer.domain.errors import N_, Invalid
from deployer.domain.names import parse_name
from deployer.domain.passwords import MAX_PASSWORD
from deployer.web.forms.base import Parsed, StrictForm, by, one_of

LIFETIMES = {"30": 30, "90": 90, "365": 365, "never": None}  # days
MAX_SERVICES = 100


def _services(text: str) -> tuple[str, ...]:
    """Names, parted by commas or blanks."""
    names = tuple(dict.fromkeys(re.split(r"[\s,]+", text.strip()))) if text.strip() else ()
    if len(names) > MAX_SERVICES:
        raise Invalid(
            N_("These are too many services."), N_("Name at most %(limit)s."), "services", {"limit": MAX_SERVICES}
        )
    return tuple(parse_name(name, "services") for name in names)


class TokenForm(StrictForm):
    """What it is called, what it may be used for at most, for how long, and for which services."""

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
    days = Parsed(
        N_("Valid for"),
        one_of("days", LIFETIMES, N_("A token cannot be valid for so long."), N_("Use one of: %(choices)s.")),
        empty=90,
        default="90",
    )
    services = Parsed(N_("Only for the services"), _services, empty=())


def _password(field: str, text: str) -> str:
    if len(text) > MAX_PASSWORD or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Invalid(N_("This cannot be a password."), N_("Type it again."), field)
    return text


class PasswordForm(StrictForm):
    """The password that one has, and twice the one to have."""

    current = Parsed(N_("Current password"), lambda text: _password("current", text), widget=PasswordInput())
    password = Parsed(N_("New password"), lambda text: _password("password", text), widget=PasswordInput())
    again = Parsed(N_("New password, again"), lambda text: _password("again", text), widget=PasswordInput())

    def check(self) -> None:
        """Raise RefusedInput unless every field was read and the new password is the same twice."""
        refusals = self.refusals()
        if not refusals and self.password.value != self.again.value:
            refusals["again"] = Invalid(
                N_("The two new passwords are different."), N_("Type the same one in both fields."), "again"
            )
        self.fail_with(refusals)
