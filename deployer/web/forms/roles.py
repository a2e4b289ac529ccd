"""A role that is given to somebody."""

from __future__ import annotations

from deployer.domain.access import OF_SERVICE, Role
from deployer.domain.errors import N_, Invalid
from deployer.domain.ids import parse_id
from deployer.web.forms.base import Parsed, StrictForm, one_of


def _service(text: str) -> int:
    found = parse_id(text)
    if found is None:
        raise Invalid(N_("This is not an id."), N_("Choose a service."), "service_id")
    return found


_MESSAGES = (N_("There is no such role."), N_("Use one of: %(choices)s."))


class RoleForm(StrictForm):
    """A role for everything."""

    role = Parsed(N_("Role for all services"), one_of("role", {role.value: role for role in Role}, *_MESSAGES))


class ServiceRoleForm(StrictForm):
    """A role for one service; ``none`` takes it away."""

    service_id = Parsed(N_("Service"), _service)
    role = Parsed(N_("Role"), one_of("role", {role.value: role for role in (Role.NONE, *OF_SERVICE)}, *_MESSAGES))
