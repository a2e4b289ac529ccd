"""Many hosts at once: exactly what was shown, done."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, Invalid
from deployer.domain.machine import is_elsewhere
from deployer.domain.reach import CredentialKind
from deployer.operations import credentials
from deployer.operations.credentials import NewCredential
from deployer.operations.existing import check_nobody_works, hold_places, lock_with_services
from deployer.operations.hosts import insert_hosts, update_hosts
from deployer.operations.import_plan import ImportPlan
from deployer.operations.transaction import transaction


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
    only read. Raises :class:`ImportChanged` unless it comes to what ``digest`` says, and Conflict as for one host. The
    number of statements does not grow with the number of hosts."""
    actor.require(Verb.MANAGE_FLEET)
    try:
        with transaction():
            hold_places()
            # What is planned once the hosts are locked stays true.
            revs = lock_with_services(one.host_id for one in planned().changed)
            plan = planned()
            if plan.digest != digest:
                raise ImportChanged(plan)
            if not plan.does_something:
                raise Conflict(N_("There is nothing to import."), N_("Every host in it is as the file says."))
            check_nobody_works([one.host_id for one in plan.changed if is_elsewhere(one.changes)])
            files = [NewCredential(name, CredentialKind.FILE, path) for name, path in plan.credentials.items()]
            credentials.insert(files, actor)
            insert_hosts([added.host for added in plan.added], actor)
            update_hosts({changed.host_id: changed.host for changed in plan.changed}, revs, actor)
            return plan
    except IntegrityError:  # somebody has just added a host, or a credential, of a name that was free
        raise ImportChanged(planned()) from None
