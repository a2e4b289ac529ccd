"""A role that is given to somebody."""

from __future__ import annotations

from deployer.domain.access import OF_SERVICE, Role
from deployer.domain.errors import N_
from deployer.web.forms.base import Parsed, StrictForm, by, one_of, parse_an_id

_MESSAGES = (N_("There is no such role."), N_("Use one of: %(choices)s."))


class RoleForm(StrictForm):
    """A role for everything."""

    role = Parsed(N_("Role for all services"), one_of("role", {role.value: role for role in Role}, *_MESSAGES))


class ServiceRoleForm(StrictForm):
    """A role for one service; ``none`` takes it away."""

    service_id = Parsed(N_("Service"), by(parse_an_id, "service_id"))
    role = Parsed(N_("Role"), one_of("role", {role.value: role for role in (Role.NONE, *OF_SERVICE)}, *_MESSAGES))
