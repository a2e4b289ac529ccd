"""Who may do what to which service. One decision, asked by operations, pages, API and templates alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from deployer.domain.errors import N_, Forbidden


class Verb(StrEnum):
    """What can be done in the console."""

    VIEW = "view"
    RECORD_BUILD = "record_build"  # versions and their build status
    ROLL_OUT = "roll_out"  # upgrade, revert, cancel, have a host asked
    MANAGE = "manage"  # a service and its recipe
    AUDIT = "audit"  # read who did what, and from where
    MANAGE_FLEET = "manage_fleet"  # hosts, credentials, and which services run where
    ADMINISTER = "administer"  # people and their roles


class Role(StrEnum):
    """What a person is here for; each role may also do what the ones above it in this list may."""

    NONE = "none"  # nothing of itself: such a person has roles for single services
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


# The roles that can be given for one service. People are administered for all services or not at all.
OF_SERVICE = (Role.VIEWER, Role.DEPLOYER, Role.MAINTAINER)
# What is not of a service, so that no role for one is enough: whoever brings a service onto a host, or says how hosts
# are reached, decides what runs on them.
OVERALL = frozenset({Verb.MANAGE_FLEET, Verb.ADMINISTER})

_VIEWER = frozenset({Verb.VIEW})
_DEPLOYER = _VIEWER | {Verb.RECORD_BUILD, Verb.ROLL_OUT}
_MAINTAINER = _DEPLOYER | {Verb.MANAGE, Verb.AUDIT, Verb.MANAGE_FLEET}
_OF_ROLE: dict[Role, frozenset[Verb]] = {
    Role.NONE: frozenset(),
    Role.VIEWER: _VIEWER,
    Role.DEPLOYER: _DEPLOYER,
    Role.MAINTAINER: _MAINTAINER,
    Role.ADMINISTRATOR: frozenset(Verb),
}
_OF_SCOPE = {
    Scope.READ: frozenset({Verb.VIEW, Verb.AUDIT}),
    Scope.BUILDS: frozenset({Verb.VIEW, Verb.RECORD_BUILD}),
    Scope.DEPLOY: frozenset({Verb.VIEW, Verb.ROLL_OUT}),
    Scope.MANAGE: frozenset(Verb),
}


def roles_for(verb: Verb) -> frozenset[Role]:
    """The roles that are enough for ``verb``."""
    return frozenset(role for role, verbs in _OF_ROLE.items() if verb in verbs)


def scopes_for(verb: Verb) -> frozenset[Scope]:
    """The scopes of a token that are enough for ``verb``."""
    return frozenset(scope for scope, verbs in _OF_SCOPE.items() if verb in verbs)


@dataclass(frozen=True)
class Rights:
    """All that somebody may do, and nothing else of them: two people with equal rights see and may the same.

    ``services`` has those services of which they may do other things than of services in general.
    """

    everywhere: tuple[Verb, ...]
    services: tuple[tuple[int, tuple[Verb, ...]], ...]

    def about(self, service: int) -> Rights:
        """Those of them that matter where nothing but ``service`` is shown."""
        return Rights(self.everywhere, tuple(pair for pair in self.services if pair[0] == service))


@dataclass(frozen=True)
class Actor:
    """Who is asking: a person, perhaps through a token.

    ``role`` holds for everything, ``roles`` for single services; the greater of both counts. ``services`` are those
    that the token is bound to, None when it is not; ``token`` is what the record of changes calls it, ``token_id``
    is its id.
    """

    name: str
    role: Role
    scope: Scope | None = None  # None: signed in, not a token
    roles: tuple[tuple[int, Role], ...] = ()
    services: frozenset[int] | None = None
    token: str = ""
    token_id: int | None = None

    def may(self, verb: Verb, service: int | None = None) -> bool:
        """Whether this actor may do ``verb`` to ``service``, or, without one, to what is of no service."""
        return may(self, verb, service)

    def may_anywhere(self, verb: Verb) -> bool:
        """Whether there is a service, or anything else, to which this actor may do ``verb``."""
        return self.may(verb) or self.where(verb) != frozenset()

    def where(self, verb: Verb) -> frozenset[int] | None:
        """The services to which this actor may do ``verb``; None when it is all of them."""
        if self.may(verb):
            return None
        return frozenset(service for service in self._named if self.may(verb, service))

    @property
    def sees(self) -> frozenset[int] | None:
        """The services that this actor sees; None when it is all of them."""
        return self.where(Verb.VIEW)

    @property
    def rights(self) -> Rights:
        """All that this actor may do."""
        everywhere = self._verbs(None)
        each = [(service, self._verbs(service)) for service in sorted(self._named)]
        return Rights(everywhere, tuple((service, verbs) for service, verbs in each if verbs != everywhere))

    def require(self, verb: Verb, service: int | None = None) -> None:
        """Raise :class:`Forbidden` unless this actor may do ``verb`` to ``service``."""
        if not self.may(verb, service):
            raise refusal(self, verb, service)

    def sees_token(self, token_id: int) -> bool:
        """Whether this actor sees a token of their own: one that is bound sees itself, others name other services."""
        return self.services is None or token_id == self.token_id

    def require_revoking(self, token_id: int) -> None:
        """Raise :class:`Forbidden` unless this actor may end a token of their own: any token may end itself."""
        if token_id == self.token_id or (self.services is None and self.scope in (None, Scope.MANAGE)):
            return
        raise Forbidden(
            N_("This token may not do this."),
            N_("It can end only itself. Use a token of scope manage for all services, or the page of your tokens."),
        )

    @property
    def _named(self) -> frozenset[int]:
        """The services of which anything is said in particular."""
        return frozenset(service for service, _ in self.roles) | (self.services or frozenset())

    def _verbs(self, service: int | None) -> tuple[Verb, ...]:
        return tuple(verb for verb in Verb if self.may(verb, service))


def may(person: Actor, verb: Verb, service: int | None = None) -> bool:
    """The one decision: may ``person`` do ``verb`` to ``service``, or, without one, to what is of no service?"""
    if person.scope is not None and verb not in _OF_SCOPE[person.scope]:
        return False
    if person.services is not None and (service not in person.services or verb in OVERALL):
        return False
    return has_role(person, verb, service)


def has_role(person: Actor, verb: Verb, service: int | None = None) -> bool:
    """The same by the person's roles alone, whatever the token is for."""
    if verb in _OF_ROLE[person.role]:
        return True
    if service is None or verb in OVERALL:
        return False
    return any(one == service and verb in _OF_ROLE[role] for one, role in person.roles)


def greatest(roles: Iterable[Role]) -> Role:
    """The one that may most; NONE of none."""
    order = list(Role)
    return max(roles, key=order.index, default=Role.NONE)


def role_for(person: Actor, service: int | None) -> Role:
    """The role that counts for ``service``, or for what is of none."""
    return greatest([person.role, *(role for one, role in person.roles if one == service)])


def refusal(person: Actor, verb: Verb, service: int | None, ask: str = "") -> Forbidden:
    """Why ``person`` may not do ``verb``. ``ask`` names people who may, "" when nobody was looked for."""
    if has_role(person, verb, service):
        return _of_token(person, verb)
    facts: Mapping[str, object] = {"role": role_for(person, service).value, "names": ask}
    if ask:
        hint = N_("Your role here is %(role)s. Ask %(names)s, who may.")
    else:
        hint = N_("Your role is %(role)s. Ask an administrator for a role that allows it.")
    return Forbidden(N_("You may not do this."), hint, facts=facts)


def _of_token(person: Actor, verb: Verb) -> Forbidden:
    if person.scope is None or verb in _OF_SCOPE[person.scope]:
        return Forbidden(
            N_("This token may not do this."),
            N_("It is for some services only, and this does not belong to one of them. Use another token."),
        )
    return Forbidden(
        N_("This token may not do this."),
        N_("Its scope is %(scope)s. Create a token with a wider scope."),
        facts={"scope": str(person.scope)},
    )
