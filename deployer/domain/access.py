"""Who may do what. One decision, asked by pages, API and templates alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deployer.domain.errors import N_, Forbidden


class Verb(StrEnum):
    """What can be done to the things in the console."""

    VIEW = "view"
    RECORD_BUILD = "record_build"  # versions and their build status
    ROLL_OUT = "roll_out"  # upgrade, revert, cancel
    MANAGE = "manage"  # services, hosts, instances


class Role(StrEnum):
    """What a person is here for; each role may also do what the ones above it in this list may."""

    VIEWER = "viewer"
    DEPLOYER = "deployer"
    MAINTAINER = "maintainer"
    ADMINISTRATOR = "administrator"


class Scope(StrEnum):
    """What a token may be used for, at most: never more than its owner's role."""

    READ = "read"
    BUILDS = "builds"
    DEPLOY = "deploy"
    MANAGE = "manage"


_OF_ROLE = {
    Role.VIEWER: frozenset({Verb.VIEW}),
    Role.DEPLOYER: frozenset({Verb.VIEW, Verb.RECORD_BUILD, Verb.ROLL_OUT}),
    Role.MAINTAINER: frozenset(Verb),
    Role.ADMINISTRATOR: frozenset(Verb),
}
_OF_SCOPE = {
    Scope.READ: frozenset({Verb.VIEW}),
    Scope.BUILDS: frozenset({Verb.VIEW, Verb.RECORD_BUILD}),
    Scope.DEPLOY: frozenset({Verb.VIEW, Verb.ROLL_OUT}),
    Scope.MANAGE: frozenset(Verb),
}


SOME_SERVICE = 0  # is no service's id


@dataclass(frozen=True)
class Actor:
    """Who is asking: a person, perhaps through a token that is for some services only."""

    name: str
    role: Role
    scope: Scope | None = None  # None: signed in, not a token
    services: frozenset[int] | None = None  # None: all

    def may(self, verb: Verb, service_id: int | None = None) -> bool:
        """Whether this actor may do ``verb`` to a service, to what belongs to none (None), or to any (SOME_SERVICE)."""
        if self.services is not None and not self._reaches(verb, service_id):
            return False
        return verb in _OF_ROLE[self.role] and (self.scope is None or verb in _OF_SCOPE[self.scope])

    def _reaches(self, verb: Verb, service_id: int | None) -> bool:
        if service_id is None:
            return verb is Verb.VIEW
        return service_id == SOME_SERVICE or service_id in (self.services or ())

    def require(self, verb: Verb, service_id: int | None = None) -> None:
        """Raise :class:`Forbidden` unless this actor may do ``verb`` there; ``service_id`` as in :meth:`may`."""
        if self.may(verb, service_id):
            return
        if verb not in _OF_ROLE[self.role]:
            raise Forbidden(
                N_("You may not do this."),
                N_("Your role is %(role)s. Ask an administrator for a role that allows it."),
                facts={"role": self.role.value},
            )
        if self.scope is None or verb in _OF_SCOPE[self.scope]:
            raise Forbidden(
                N_("This token may not do this."),
                N_("It is for some services only, and this does not belong to one of them. Use another token."),
            )
        raise Forbidden(
            N_("This token may not do this."),
            N_("Its scope is %(scope)s. Create a token with a wider scope."),
            facts={"scope": str(self.scope)},
        )
