"""A host is tested: the question waits in the database, one answer is remembered."""

from __future__ import annotations

import pytest
from flask import Flask

from deployer.domain.access import Actor, Role
from deployer.domain.errors import Conflict, Forbidden, NotFound
from deployer.domain.facts import WARNED, CheckState, HostFacts
from deployer.domain.reach import Login
from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.operations import checks, hosts
from deployer.operations.checks import CheckEnd
from deployer.operations.hosts import NewHost
from deployer.queries import hosts as queries
from tests.world import ADMIN, World, snapshot

FACTS = HostFacts("Debian", "deploy", "writable", ("flock",), True, 5 << 30, 6 << 30, None, None, 0.2, 0.1)
OVER_SSH = NewHost("db-1", "192.0.2.9", "/srv", Reach.SSH, ssh_user="deploy", ssh_port=2222, jump="ops@bastion")


def row(host_id: int) -> queries.HostRow:
    db.session.rollback()
    return queries.host(host_id)


def ask(host_id: int) -> checks.TakenCheck:
    checks.ask(host_id, ADMIN)
    (check,) = checks.waiting_checks()
    return check


def test_a_worker_is_told_how_the_host_is_reached(app: Flask, world: World) -> None:
    host_id = hosts.add_host(OVER_SSH, ADMIN)
    place = ask(host_id).place
    assert (place.host_id, place.hostname, place.reach, place.service) == (host_id, "db-1", Reach.SSH, "")
    assert (place.login, place.credential) == (Login("deploy", 2222, "ops@bastion"), None)


def test_what_was_found_is_remembered(app: Flask, world: World) -> None:
    host_id = world.hosts["web-1"]
    check = ask(host_id)
    assert row(host_id).check_by == "root"
    assert checks.settle_check(check, CheckEnd(FACTS.dump(), WARNED))
    found = row(host_id)
    assert (found.check_by, found.state, found.facts) == (None, CheckState.WARNED, FACTS)
    assert [str(one) for one in found.warnings] == [
        "Not on the host: flock. Install them there; upgrades need them.",
    ]
    assert checks.waiting_checks() == []


def test_a_problem_is_remembered_with_its_remedy_and_takes_the_place_of_old_facts(app: Flask, world: World) -> None:
    host_id = world.hosts["web-1"]
    checks.settle_check(ask(host_id), CheckEnd(FACTS.dump()))
    assert row(host_id).state is CheckState.OK
    checks.settle_check(ask(host_id), CheckEnd(None, "unreachable", "It is off.", "Switch it on."))
    found = row(host_id)
    assert (found.state, found.check_cause, found.check_remedy) == (CheckState.PROBLEM, "It is off.", "Switch it on.")
    assert found.facts is None


def test_two_answers_to_one_question_are_remembered_once(app: Flask, world: World) -> None:
    check = ask(world.hosts["web-1"])
    assert checks.settle_check(check, CheckEnd(None))
    before = snapshot()
    assert not checks.settle_check(check, CheckEnd(None, "unreachable"))
    assert snapshot() == before


def test_an_answer_about_another_way_to_the_host_is_thrown_away_and_it_is_asked_again(app: Flask, world: World) -> None:
    host_id = world.hosts["web-1"]
    check = ask(host_id)
    hosts.change_host(host_id, NewHost("web-1", "127.0.0.99", "/srv/web-1"), ADMIN)
    checks.ask(host_id, ADMIN)
    assert not checks.settle_check(check, CheckEnd(FACTS.dump()))
    assert row(host_id).state is CheckState.NEVER
    (again,) = checks.waiting_checks()
    assert again.place.address == "127.0.0.99"
    assert checks.settle_check(again, CheckEnd(FACTS.dump()))


def test_a_retired_host_and_one_that_is_not_there_are_not_tested(app: Flask, world: World) -> None:
    host_id = hosts.add_host(OVER_SSH, ADMIN)
    hosts.retire(host_id, ADMIN)
    before = snapshot()
    with pytest.raises(Conflict):
        checks.ask(host_id, ADMIN)
    with pytest.raises(NotFound):
        checks.ask(999, ADMIN)
    with pytest.raises(Forbidden):
        checks.ask(world.hosts["web-1"], Actor("vic", Role.VIEWER))
    assert snapshot() == before
