"""Hosts: add a machine, change how it is reached, retire it and bring it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.status import Evidence, Reach
from deployer.extensions import db
from deployer.models import CredentialRow, Host, HostKey, HostLabel, Instance, Rollout, Service, claims
from deployer.models.columns import utc_now
from deployer.operations.transaction import audit, audit_each, transaction

# What a worker needs to find the host: with another value, what was seen before was seen somewhere else.
WAY = ("address", "reach", "directory", "ssh_user", "ssh_port", "jump", "credential")
NAMED = 5  # services named in a refusal; the rest are counted


@dataclass(frozen=True)
class NewHost:
    """A machine to add, or what one shall be. Where it says nothing on SSH, the worker's own configuration says."""

    hostname: str
    address: str
    directory: str
    reach: Reach = Reach.LOCAL
    description: str = ""
    labels: tuple[str, ...] = ()
    ssh_user: str = ""
    ssh_port: int | None = None
    jump: str = ""
    credential: str | None = None  # its name


def add_host(new: NewHost, actor: Actor) -> int:
    """Add a host and return its id. Raises Conflict on ``hostname`` or ``directory``, NotFound on ``credential``."""
    actor.require(Verb.MANAGE_FLEET)
    try:
        with transaction():
            return insert_host(new, actor)
    except IntegrityError:
        raise taken_name() from None


def change_host(host_id: int, new: NewHost, actor: Actor) -> None:
    """Make the host what ``new`` says. Raises as :func:`add_host`, NotFound for the host, and Conflict while a rollout
    works on it and the way to it would change."""
    actor.require(Verb.MANAGE_FLEET)
    try:
        with transaction():
            update_host(host_id, new, actor)
    except IntegrityError:
        raise taken_name() from None


def insert_host(new: NewHost, actor: Actor) -> int:
    """As :func:`add_host`, inside the caller's transaction."""
    session = db.session
    known = session.execute(select(Host.retired).where(Host.hostname == new.hostname)).first()
    if known is not None:
        raise taken_name(retired=known.retired is not None)
    _check_directory(new, 0)
    return insert_hosts([new], actor)[0]


def insert_hosts(news: Sequence[NewHost], actor: Actor) -> list[int]:
    """Insert hosts whose names and directories the caller has found to be free, in its transaction. Their ids."""
    session = db.session
    credential_ids = {name: _credential_id(name) for name in {new.credential for new in news}}
    rows = []
    for new in news:
        host = Host(hostname=new.hostname)
        _fill(host, new, credential_ids[new.credential], actor)
        rows.append(host)
    session.add_all(rows)
    session.flush()
    ids = [host.id for host in rows]
    labels = [{"host_id": id_, "label": label} for id_, new in zip(ids, news, strict=True) for label in new.labels]
    if labels:
        session.execute(insert(HostLabel), labels)
    told = {id_: _told(asdict(new)) for id_, new in zip(ids, news, strict=True)}
    audit_each(actor.name, "add", "host", told)
    return ids


def update_host(host_id: int, new: NewHost, actor: Actor) -> bool:
    """As :func:`change_host`, inside the caller's transaction. Whether anything was changed."""
    session = db.session
    seen = session.get(Host, host_id)
    if seen is None:
        raise no_such("host", host_id)
    if as_it_is(seen) == new:
        return False
    services = session.execute(select(Instance.service_id).where(Instance.host_id == host_id)).scalars().all()
    # The services' rows first, as every writer does; their pages show the host.
    revs = {id_: claims.bump(session(), id_) for id_ in sorted(set(services))}
    host = _locked(host_id)
    changes = differences(as_it_is(host), new)
    is_elsewhere = any(name in WAY for name in changes)
    if is_elsewhere:
        _check_nobody_works(host_id)
        _check_directory(new, host_id)
        host.check_by = host.checked = host.facts = None
        host.check_kind = host.check_cause = host.check_remedy = ""
        # Nor may a key be approved that was shown there.
        session.execute(delete(HostKey).where(HostKey.host_id == host_id, HostKey.approved.is_(None)))
    _fill(host, new, _credential_id(new.credential), actor)
    _set_labels(host_id, new.labels)
    for service_id, rev in revs.items():
        values: dict[str, Any] = {"rev": rev}
        if is_elsewhere:
            values["evidence"] = Evidence.RECORDED  # what answered before answered elsewhere
        session.execute(
            update(Instance).where(Instance.service_id == service_id, Instance.host_id == host_id).values(values)
        )
    audit(actor.name, "change", "host", host_id, hostname=new.hostname, changes=changes)
    return True


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
        host = _locked(host_id)
        if host.retired is None:
            return
        _check_directory(as_it_is(host), host_id)
        host.retired = None
        host.updated = utc_now()
        host.updated_by = actor.name
        audit(actor.name, "bring_back", "host", host_id, hostname=host.hostname)


def differences(before: NewHost, after: NewHost) -> dict[str, list[str]]:
    """What is not the same, by field: before and after, in words."""
    pairs = {name: (value, getattr(after, name)) for name, value in asdict(before).items()}
    return {name: [_word(one), _word(other)] for name, (one, other) in pairs.items() if one != other}


def as_it_is(host: Host) -> NewHost:
    """The host in the words of a form."""
    session = db.session
    labels = session.execute(select(HostLabel.label).where(HostLabel.host_id == host.id).order_by(HostLabel.label))
    credential = None
    if host.credential_id is not None:
        credential = session.execute(
            select(CredentialRow.name).where(CredentialRow.id == host.credential_id)
        ).scalar_one()
    return NewHost(
        hostname=host.hostname,
        address=host.address,
        directory=host.directory,
        reach=host.reach,
        description=host.description,
        labels=tuple(labels.scalars()),
        ssh_user=host.ssh_user,
        ssh_port=host.ssh_port,
        jump=host.jump,
        credential=credential,
    )


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


def _fill(host: Host, new: NewHost, credential_id: int | None, actor: Actor) -> None:
    host.hostname = new.hostname
    host.address = new.address
    host.reach = new.reach
    host.directory = new.directory
    host.description = new.description
    host.ssh_user = new.ssh_user
    host.ssh_port = new.ssh_port
    host.jump = new.jump
    host.credential_id = credential_id
    host.updated = utc_now()
    host.updated_by = actor.name


def _credential_id(name: str | None) -> int | None:
    if name is None:
        return None
    # Locked against its removal, which looks for hosts that use it.
    query = select(CredentialRow.id).where(CredentialRow.name == name).with_for_update(read=True)
    found = db.session.execute(query).scalar()
    if found is None:
        raise no_such("credential", name, "credential")
    return found


def _set_labels(host_id: int, labels: tuple[str, ...]) -> None:
    db.session.execute(delete(HostLabel).where(HostLabel.host_id == host_id))
    if labels:
        db.session.execute(insert(HostLabel), [{"host_id": host_id, "label": label} for label in labels])


def _check_directory(new: NewHost, but: int) -> None:
    """Raise Conflict when another host in use is the same directory of the same machine."""
    same = [Host.reach == new.reach, Host.directory == new.directory, Host.retired.is_(None), Host.id != but]
    if new.reach is Reach.SSH:  # the same machine twice: by its address, its port and the way there
        same += [Host.address == new.address, Host.jump == new.jump, Host.ssh_port.is_not_distinct_from(new.ssh_port)]
    if db.session.execute(select(Host.id).where(*same)).first():
        raise Conflict(
            N_("Another host has this directory."),
            N_("Two hosts in one directory would overwrite each other's services. Choose another directory."),
            "directory",
        )


def _check_nobody_works(host_id: int) -> None:
    held = db.session.execute(
        select(Rollout.id, Rollout.created_by)
        .join(Instance, Instance.rollout_id == Rollout.id)
        .where(Instance.host_id == host_id)
    ).first()
    if held is not None:
        raise Conflict(
            N_("Rollout #%(rollout)s of %(by)s holds it."),
            N_("How a host is reached can be changed when nobody works on it. Wait until the rollout has ended."),
            facts={"rollout": held.id, "by": held.created_by},
        )


def _told(facts: dict[str, Any]) -> dict[str, str]:
    return {name: _word(value) for name, value in facts.items() if value not in ("", None, ())}


def _word(value: Any) -> str:
    """A value as a form and the record of changes have it."""
    return " ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
