"""Who somebody is according to a provider of identities, and whether that is enough to let them in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from deployer.domain.errors import N_, Forbidden
from deployer.domain.names import is_name

MAX_SUBJECT = 255  # as the standard says
_STRANGE = re.compile(r"[^A-Za-z0-9._+-]+", re.ASCII)


@dataclass(frozen=True)
class Allowed:
    """Who is let in when they come for the first time: by the domain of a verified address, or by group."""

    domains: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Identity:
    """A person as the provider describes them. ``issuer`` and ``subject`` are who it is; the rest may change."""

    issuer: str
    subject: str
    name: str  # "" when nothing usable was told
    domain: str = ""  # of the e-mail address, when it is verified
    groups: frozenset[str] = frozenset()

    def is_among(self, allowed: Allowed) -> bool:
        """Whether to let this person in who has not been here before."""
        return self.domain in allowed.domains - {""} or bool(self.groups & allowed.groups)


def read_identity(claims: Mapping[str, Any], name_claim: str) -> Identity:
    """The identity in the claims of a token that was checked. Raises Forbidden for a subject that cannot be kept."""
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not isinstance(issuer, str) or not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise Forbidden(N_("The provider does not say who you are."), N_("Ask whoever runs it."))
    groups = claims.get("groups")
    return Identity(
        issuer.rstrip("/"),
        subject,
        _name(claims.get(name_claim)),
        _domain(claims),
        frozenset(one for one in groups if isinstance(one, str)) if isinstance(groups, Collection) else frozenset(),
    )


def _name(text: object) -> str:
    """As people are called here; of an e-mail address what stands before the @."""
    if not isinstance(text, str):
        return ""
    name = _STRANGE.sub("-", text.partition("@")[0]).strip("-._+")[:64]
    return name if is_name(name) else ""


def _domain(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        return ""
    return email.rpartition("@")[2].lower()
