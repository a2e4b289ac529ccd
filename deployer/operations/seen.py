"""A failed rollout that somebody has seen: the instance is one that simply runs again."""

from __future__ import annotations

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import no_such
from deployer.domain.transitions import InstanceEvent, advance_instance
from deployer.models import Instance, claims
from deployer.models.columns import utc_now
from deployer.operations.places import places
from deployer.operations.probes import check_free
from deployer.operations.transaction import Of, audit, transaction


def see(instance_id: int, actor: Actor) -> None:
    """Mark the failure on an instance as seen. Raises NotFound; Conflict while a rollout holds it, when nothing failed
    there, or when it is not confirmed which version runs."""
    with transaction() as session:
        instance = session.get(Instance, instance_id)
        if instance is None:
            raise no_such("instance", instance_id)
        actor.require(Verb.ROLL_OUT, instance.service_id)
        rev = claims.bump(session(), instance.service_id)
        session.refresh(instance)
        check_free(instance)
        before = instance.status
        instance.status = advance_instance(before, InstanceEvent.SEE, instance.evidence)
        instance.rev, instance.updated, instance.updated_by = rev, utc_now(), actor.name
        place = places([instance.id])[instance.id]
        named = {"service": place.service, "host": place.hostname}
        audit(actor.name, "see", "instance", instance.id, Of(instance.service_id), **named, failed=before.name.lower())
