"""From the names that people type on a command line to ids."""

from __future__ import annotations

from sqlalchemy import select

from deployer.domain.errors import no_such
from deployer.domain.names import parse_hostname, parse_name
from deployer.extensions import db
from deployer.models import CredentialRow, Host, Service, User, Version


def service_id(name: str) -> int:
    """The service of this name. Raises Invalid or NotFound on ``service``."""
    found = db.session.execute(select(Service.id).where(Service.name == parse_name(name, "service"))).scalar()
    if found is None:
        raise no_such("service", name, "service")
    return found


def host_id(name: str) -> int:
    """The host of this name. Raises Invalid or NotFound on ``host``."""
    found = db.session.execute(select(Host.id).where(Host.hostname == parse_hostname(name, "host"))).scalar()
    if found is None:
        raise no_such("host", name, "host")
    return found


def credential_id(name: str) -> int:
    """The credential of this name. Raises Invalid or NotFound on ``credential``."""
    wanted = select(CredentialRow.id).where(CredentialRow.name == parse_name(name, "credential"))
    found = db.session.execute(wanted).scalar()
    if found is None:
        raise no_such("credential", name, "credential")
    return found


def version_id(of_service: int, label: str) -> int:
    """The version of this label of a service. Raises Invalid or NotFound on ``version``."""
    wanted = select(Version.id).where(Version.service_id == of_service, Version.label == parse_name(label, "version"))
    found = db.session.execute(wanted).scalar()
    if found is None:
        raise no_such("version", label, "version")
    return found


def user_id(name: str) -> int:
    """The person of this name. Raises Invalid or NotFound on ``name``."""
    found = db.session.execute(select(User.id).where(User.name == parse_name(name, "name"))).scalar()
    if found is None:
        raise no_such("user", name, "name")
    return found
