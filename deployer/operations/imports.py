"""Many hosts at once: what would change, and exactly that, done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, Invalid
from deployer.domain.reach import CredentialKind
from deployer.extensions import db
from deployer.models import Host, Instance, claims
from deployer.models.columns import among
from deployer.operations import credentials
from deployer.operations.credentials import NewCredential
from deployer.operations.hosts import NewHost, insert_hosts, taken_name, update_host
from deployer.operations.transaction import transaction


@dataclass(frozen=True)
class Added:
    """A host that is not there yet."""

    line: int
    host: NewHost


@dataclass(frozen=True)
class Changed:
    """A host that is there and would be another. ``changes``: field → before and after."""

    line: int
    host_id: int
    host: NewHost
    changes: dict[str, list[str]]


@dataclass(frozen=True)
class LeftOut:
    """A host in the file that nothing is done with, and why: a sentence for each field."""

    line: int
    name: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do. ``credentials`` are to be added: name → path of a key on the worker's machine."""

    added: tuple[Added, ...]
    changed: tuple[Changed, ...]
    unchanged: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    credentials: dict[str, str]

    @property
    def does_something(self) -> bool:
        """Whether there is anything to confirm."""
        return bool(self.added or self.changed)

    @property
    def digest(self) -> str:
        """What exactly it would do, in 64 hexadecimal digits."""
        text = json.dumps(
            [
                [asdict(one.host) for one in self.added],
                [[one.host_id, one.changes] for one in self.changed],
                sorted(self.credentials.items()),
                [[one.line, one.name] for one in self.left_out],
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()


class ImportChanged(Conflict):
    """What would happen now is not what the person was shown: ``plan`` is what would."""

    def __init__(self, plan: ImportPlan) -> None:
        super().__init__(
            N_("What would happen now is not what you were shown."),
            N_("Nothing was imported. Look at what would change now, then try again."),
            "plan",
        )
        self.plan = plan


def parse_digest(text: str) -> str:
    """The digest of a plan. Raises Invalid on ``plan``."""
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return text
    raise Invalid(
        N_("This is not the token of a plan."), N_("Ask for the plan again and send the token it comes with."), "plan"
    )


def apply(planned: Callable[[], ImportPlan], digest: str, actor: Actor) -> ImportPlan:
    """Do what ``planned`` comes to, all of it or nothing. It is called in the transaction in which it is done, and must
    only read. Raises :class:`ImportChanged` unless it comes to what ``digest`` says, and Conflict as for one host."""
    actor.require(Verb.MANAGE_FLEET)
    try:
        with transaction() as session:
            # In the order of all writers: the services' rows, then the hosts'. What is planned from here on stays true.
            concerned = [one.host_id for one in planned().changed]
            for service_id in _services_of(concerned):
                claims.bump(session(), service_id)
            for host_id in sorted(concerned):
                session.get(Host, host_id, with_for_update=True, populate_existing=True)
            plan = planned()
            if plan.digest != digest:
                raise ImportChanged(plan)
            if not plan.does_something:
                raise Conflict(N_("There is nothing to import."), N_("Every host in it is as the file says."))
            for name, path in plan.credentials.items():
                credentials.insert(NewCredential(name, CredentialKind.FILE, path), actor)
            insert_hosts([added.host for added in plan.added], actor)
            for changed in plan.changed:
                update_host(changed.host_id, changed.host, actor)
            return plan
    except IntegrityError:
        raise taken_name() from None


def _services_of(host_ids: list[int]) -> list[int]:
    query = select(Instance.service_id).where(among(db.session(), Instance.host_id, host_ids)).distinct()
    return sorted(db.session.execute(query).scalars()) if host_ids else []
