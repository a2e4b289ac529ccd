"""The keys that a host has shown: offered by workers, approved and forgotten by people."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from deployer.domain.access import Actor, Role
from deployer.domain.errors import Conflict, Forbidden, NotFound
from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.models import AuditEntry
from deployer.operations import checks, host_keys, hosts
from deployer.operations.hosts import NewHost
from deployer.operations.places import host_places
from deployer.queries import hosts as queries
from tests.world import ADMIN, World, snapshot


def key(number: int = 0) -> str:
    """A public key that nobody has the private half of."""
    return "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([number]) * 32).decode()


@pytest.fixture
def host_id(app: Flask, world: World) -> int:
    """A host that is reached by SSH."""
    return hosts.add_host(NewHost("db-1", "192.0.2.9", "/srv", Reach.SSH), ADMIN)


def shown(host_id: int) -> dict[str, bool]:
    db.session.rollback()
    return {one.key: one.approved is not None for one in queries.keys(host_id)}


def test_a_fingerprint_is_that_of_ssh_keygen() -> None:
    known = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"  # github.com's
    assert host_keys.fingerprint(known) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


def test_a_key_is_offered_once_however_often_it_is_seen(host_id: int) -> None:
    assert host_keys.offer(host_id, key())
    assert host_keys.offer(host_id, key())
    assert shown(host_id) == {key(): False}


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "no key\x00", "<script> " + "A" * 40, "ssh-rsa " + "A" * 5000])
def test_what_is_no_key_is_not_offered(host_id: int, text: str) -> None:
    before = snapshot()
    assert not host_keys.offer(host_id, text)
    assert not host_keys.offer(999, key())
    assert snapshot() == before


def test_of_very_many_keys_the_ones_seen_last_are_kept_and_the_approved_one(host_id: int) -> None:
    host_keys.offer(host_id, key(0))
    host_keys.trust(host_id, host_keys.fingerprint(key(0)), ADMIN)
    for number in range(1, 31):
        host_keys.offer(host_id, key(number))
    assert shown(host_id) == {key(0): True} | {key(number): False for number in range(21, 31)}


def test_an_approved_key_goes_to_the_worker(host_id: int) -> None:
    host_keys.offer(host_id, key())
    checks.ask(host_id, ADMIN)
    assert checks.waiting_checks()[0].place.host_keys == ()
    host_keys.trust(host_id, host_keys.fingerprint(key()), ADMIN)
    db.session.rollback()
    assert checks.waiting_checks()[0].place.host_keys == (key(),)
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.verb == "trust")).scalar_one()
    assert (entry.noun_id, entry.facts["fingerprint"]) == (host_id, host_keys.fingerprint(key()))


def test_another_key_replaces_the_approved_one_only_when_it_is_said_so(host_id: int) -> None:
    for number in (0, 1):
        host_keys.offer(host_id, key(number))
    first, second = host_keys.fingerprint(key(0)), host_keys.fingerprint(key(1))
    host_keys.trust(host_id, first, ADMIN)
    before = snapshot()
    with pytest.raises(Conflict) as refused:
        host_keys.trust(host_id, second, ADMIN)
    assert refused.value.field == "replace"
    assert snapshot() == before
    host_keys.trust(host_id, second, ADMIN, replace=True)
    assert shown(host_id) == {key(1): True}
    last = db.session.execute(select(AuditEntry).order_by(AuditEntry.id.desc())).scalars().first()
    assert last is not None
    assert last.facts["replaced"] == [first]


def test_approving_twice_is_once(host_id: int) -> None:
    host_keys.offer(host_id, key())
    host_keys.trust(host_id, host_keys.fingerprint(key()), ADMIN)
    before = snapshot()
    host_keys.trust(host_id, host_keys.fingerprint(key()), ADMIN)
    assert snapshot() == before


def test_a_key_that_the_host_has_not_shown_is_neither_approved_nor_forgotten(host_id: int, world: World) -> None:
    host_keys.offer(world.hosts["web-1"], key())  # another host's
    wanted = host_keys.fingerprint(key())
    before = snapshot()
    for operation in (host_keys.trust, host_keys.forget):
        with pytest.raises(NotFound) as refused:
            operation(host_id, wanted, ADMIN)
        assert refused.value.field == "fingerprint"
        with pytest.raises(NotFound):
            operation(999, wanted, ADMIN)
    assert snapshot() == before


def test_a_forgotten_key_is_gone_and_remembered_in_the_record(host_id: int) -> None:
    host_keys.offer(host_id, key())
    host_keys.trust(host_id, host_keys.fingerprint(key()), ADMIN)
    host_keys.forget(host_id, host_keys.fingerprint(key()), ADMIN)
    assert shown(host_id) == {}
    last = db.session.execute(select(AuditEntry).order_by(AuditEntry.id.desc())).scalars().first()
    assert last is not None
    assert (last.verb, last.facts["approved_by"]) == ("forget", ADMIN.name)


def test_a_deployer_approves_no_keys(host_id: int) -> None:
    host_keys.offer(host_id, key())
    for operation in (host_keys.trust, host_keys.forget):
        with pytest.raises(Forbidden):
            operation(host_id, host_keys.fingerprint(key()), Actor("dan", Role.DEPLOYER))


def test_a_key_that_was_shown_at_another_address_cannot_be_approved_any_more(host_id: int) -> None:
    host_keys.offer(host_id, key(0))
    host_keys.trust(host_id, host_keys.fingerprint(key(0)), ADMIN)
    host_keys.offer(host_id, key(1))
    as_it_is = hosts.as_it_is(host_id)
    hosts.change_host(host_id, replace(as_it_is, address="192.0.2.77"), ADMIN)
    assert shown(host_id) == {key(0): True}  # which refuses whatever else answers there


ELSEWHERE = {
    "address": {"address": "192.0.2.77"},
    "port": {"ssh_port": 2222},
    "jump": {"jump": "ops@bastion"},
    "reach": {"reach": Reach.LOCAL},
}


@pytest.mark.parametrize("change", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_key_that_comes_late_from_where_the_host_is_no_more_is_not_offered(
    host_id: int, change: dict[str, object]
) -> None:
    before = host_places([host_id])[host_id]
    hosts.change_host(host_id, replace(hosts.as_it_is(host_id), **change), ADMIN)  # type: ignore[arg-type]
    assert not host_keys.offer(host_id, key(), before)
    assert shown(host_id) == {}
    now = host_places([host_id])[host_id]
    assert host_keys.offer(host_id, key(), now)
    assert shown(host_id) == {key(): False}


def test_a_key_is_offered_though_something_else_of_its_host_was_changed(host_id: int) -> None:
    before = host_places([host_id])[host_id]
    hosts.change_host(host_id, replace(hosts.as_it_is(host_id), description="Moved to rack 4", ssh_user="ann"), ADMIN)
    assert host_keys.offer(host_id, key(), before)
