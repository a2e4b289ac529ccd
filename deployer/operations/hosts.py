"""Hosts: add a machine, change how it is reached, retire it and bring it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.machine import NewHost, is_elsewhere
from deployer.domain.status import Evidence
from deployer.extensions import db
from deployer.models import Host, HostKey, HostLabel, Instance, Service
from deployer.models.columns import among, utc_now
from deployer.operations.existing import (
    as_it_is,
    check_nobody_works,
    check_place,
    credential_ids,
    existing,
    hold_places,
    lock_with_services,
)
from deployer.operations.transaction import audit, audit_each, transaction

__all__ = ["NewHost", "add_host", "as_it_is", "bring_back", "change_host", "named", "retire"]

UNSYNCHRONIZED = {"synchronize_session": False}  # nothing is read from rows that the session may still hold
NAMED = 5  # services named in a refusal; the rest are counted


def add_host(new: NewHost, actor: Actor) -> int:
    """Add a host and return its id. Raises Conflict on ``hostname`` or ``directory``, NotFound on ``credential``."""
    actor.require(Verb.MANAGE_FLEET)
    try:
        with transaction() as session:
            hold_places()
            known = session.execute(select(Host.retired).where(Host.hostname == new.hostname)).first()
            if known is not None:
                raise taken_name(retired=known.retired is not None)
            check_place(new, 0)
            return insert_hosts([new], actor)[0]
    except IntegrityError:
        raise taken_name() from None


def change_host(host_id: int, new: NewHost, actor: Actor) -> None:
    """Make the host what ``new`` says. Raises as :func:`add_host`, NotFound for the host, and Conflict while a rollout
    works on it and the way to it would change."""
    actor.require(Verb.MANAGE_FLEET)
    try:
        with transaction():
            hold_places()
            if as_it_is(host_id) == new:
                return
            revs = lock_with_services([host_id])
            if is_elsewhere(as_it_is(host_id).differences(new)):
                check_nobody_works([host_id])
                check_place(new, host_id)
            update_hosts({host_id: new}, revs, actor)
    except IntegrityError:
        raise taken_name() from None


def insert_hosts(news: Sequence[NewHost], actor: Actor) -> list[int]:
    """Insert hosts whose names and places the caller has found to be free, in its transaction. Their ids. The
    number of statements does not grow with the number of hosts."""
    if not news:
        return []
    credentials = credential_ids(new.credential for new in news)
    # Not as objects of the session: those would be a statement each.
    db.session.execute(insert(Host), [_columns(new, credentials, actor) for new in news])
    query = select(Host.hostname, Host.id).where(Host.hostname.in_([new.hostname for new in news]))
    ids = {row.hostname: row.id for row in db.session.execute(query)}
    added = {ids[new.hostname]: new for new in news}
    _insert_labels(added)
    told = {id_: {name: text for name, text in new.as_typed().items() if text} for id_, new in added.items()}
    audit_each(actor.name, "add", "host", told)
    return list(added)


def update_hosts(news: Mapping[int, NewHost], revs: Mapping[int, int], actor: Actor) -> None:
    """Make hosts what they shall be, by id, inside the caller's transaction; ``revs`` is what
    :func:`~deployer.operations.existing.lock_with_services` gave for them. The caller has found that nobody works on
    those that move, and that their places are free. Raises NotFound on ``credential``. The number of statements does
    not grow with the number of hosts."""
    session = db.session
    before = existing(list(news))
    changes = {id_: before[id_].host.differences(new) for id_, new in news.items()}
    changed = [id_ for id_, its in changes.items() if its]
    elsewhere = [id_ for id_ in changed if is_elsewhere(changes[id_])]
    if not changed:
        return
    credentials = credential_ids(news[id_].credential for id_ in changed)
    session.execute(update(Host), [{"id": id_, **_columns(news[id_], credentials, actor)} for id_ in changed])
    relabelled = {id_: news[id_] for id_ in changed if "labels" in changes[id_]}
    if relabelled:
        query = delete(HostLabel).where(among(session(), HostLabel.host_id, relabelled))
        session.execute(query, execution_options=UNSYNCHRONIZED)
        _insert_labels(relabelled)
    _show_instances(changed, revs)
    if elsewhere:
        _forget_what_was_seen(elsewhere)
    told = {id_: {"hostname": news[id_].hostname, "changes": changes[id_]} for id_ in changed}
    audit_each(actor.name, "change", "host", told)


def _show_instances(host_ids: Sequence[int], revs: Mapping[int, int]) -> None:
    """Let the services' pages, which show the host, show it anew."""
    rev = select(Service.rev).where(Service.id == Instance.service_id).scalar_subquery()
    concerned = among(db.session(), Instance.host_id, host_ids), among(db.session(), Instance.service_id, revs)
    query = update(Instance).where(*concerned).values(rev=rev)
    db.session.execute(query, execution_options=UNSYNCHRONIZED)


def _forget_what_was_seen(host_ids: Sequence[int]) -> None:
    """What was seen of these hosts was seen elsewhere. Nor may a key be approved that was shown there."""
    session = db.session
    nothing: dict[str, Any] = {"check_by": None, "checked": None, "facts": None}
    nothing |= {"check_kind": "", "check_cause": "", "check_remedy": ""}
    statements = (
        update(Host).where(among(session(), Host.id, host_ids)).values(nothing),
        delete(HostKey).where(among(session(), HostKey.host_id, host_ids), HostKey.approved.is_(None)),
        update(Instance).where(among(session(), Instance.host_id, host_ids)).values(evidence=Evidence.RECORDED),
    )
    for statement in statements:
        session.execute(statement, execution_options=UNSYNCHRONIZED)


def retire(host_id: int, actor: Actor) -> None:
    """Take a host out of use: it is shown only to those who ask for it. Raises NotFound, or Conflict while services run
    there, naming them."""
    actor.require(Verb.MANAGE_FLEET)
    with transaction() as session:
        host = _locked(host_id)
        if host.retired is not None:
            return
        services = (
            session.execute(
                select(Service.name)
                .join(Instance, Instance.service_id == Service.id)
                .where(Instance.host_id == host_id)
                .order_by(Service.name)
            )
            .scalars()
            .all()
        )
        if services:
            raise Conflict(
                N_("Services run on this host: %(services)s."),
                N_("A host can be retired once nothing is recorded to run there."),
                facts={"services": named(services)},
            )
        host.retired = host.updated = utc_now()
        host.updated_by = actor.name
        host.check_by = None
        audit(actor.name, "retire", "host", host_id, hostname=host.hostname)


def bring_back(host_id: int, actor: Actor) -> None:
    """Put a retired host into use again. Raises NotFound, or Conflict when another host has its directory by now."""
    actor.require(Verb.MANAGE_FLEET)
    with transaction():
        hold_places()
        host = _locked(host_id)
        if host.retired is None:
            return
        check_place(as_it_is(host_id), host_id)
        host.retired = None
        host.updated = utc_now()
        host.updated_by = actor.name
        audit(actor.name, "bring_back", "host", host_id, hostname=host.hostname)


def taken_name(*, retired: bool = False) -> Conflict:
    """The refusal of a name that another host has."""
    hint = N_("That host is retired. Bring it back, or choose another name.") if retired else N_("Choose another name.")
    return Conflict(N_("There is a host of this name already."), hint, "hostname")


def named(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    every = list(names)
    more = f" + {len(every) - NAMED}" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def _locked(host_id: int) -> Host:
    host = db.session.get(Host, host_id, with_for_update=True, populate_existing=True)
    if host is None:
        raise no_such("host", host_id)
    return host


def _columns(new: NewHost, credentials: Mapping[str | None, int | None], actor: Actor) -> dict[str, Any]:
    """The row of a host, but for its labels."""
    return {
        "hostname": new.hostname,
        "address": new.address,
        "reach": new.reach,
        "directory": new.directory,
        "description": new.description,
        "ssh_user": new.ssh_user,
        "ssh_port": new.ssh_port,
        "jump": new.jump,
        "credential_id": credentials[new.credential],
        "updated": utc_now(),
        "updated_by": actor.name,
    }


def _insert_labels(news: Mapping[int, NewHost]) -> None:
    labels = [{"host_id": id_, "label": label} for id_, new in news.items() for label in new.labels]
    if labels:
        db.session.execute(insert(HostLabel), labels)
