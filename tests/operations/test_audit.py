"""What was done is recorded with the change, says where it came from, and stays as it was written."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import DBAPIError

from deployer.domain.access import Actor, Role, Verb
from deployer.domain.errors import Conflict
from deployer.extensions import db
from deployer.models import AuditEntry
from deployer.models.columns import utc_now
from deployer.operations import attempts, catalog, roles
from deployer.operations.catalog import NewService
from deployer.queries import catalog as queries
from deployer.queries import names
from tests.conftest import running, settings_for
from tests.operations.upgrades import start, succeed, take
from tests.postgres import Cluster
from tests.world import ADMIN, World

VIC = Actor("vic", Role.VIEWER)


def entries(**equal: object) -> list[AuditEntry]:
    db.session.rollback()
    query = select(AuditEntry).filter_by(**equal).order_by(AuditEntry.id)
    return list(db.session.execute(query).scalars())


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"])
def test_the_database_refuses_to_change_what_is_recorded(app: Flask, world: World, statement: str) -> None:
    before = len(entries())
    with pytest.raises(DBAPIError, match="only ever added to"):
        db.session.execute(text(statement))
    assert len(entries()) == before > 0
    assert entries(actor="x") == []


def test_a_change_that_is_refused_leaves_no_entry_of_itself(app: Flask, world: World) -> None:
    before = len(entries())
    with pytest.raises(Conflict):
        roles.give(names.user_id("ann"), Role.VIEWER, ADMIN)
    assert len(entries()) == before


def test_an_entry_says_what_was_and_what_is(app: Flask, world: World) -> None:
    recipe = queries.service(world.service).recipe
    new = NewService("orders", recipe, language="Go", description="x")
    catalog.change_service(world.service, new, ADMIN)
    (entry,) = entries(noun="service", verb="change")
    assert entry.facts["changes"] == {"language": ["Python", "Go"], "description": ["", "x"]}
    assert (entry.service_id, entry.actor) == (world.service, "root")


def test_who_makes_up_services_is_recorded_once_a_minute_too(app: Flask, world: World) -> None:
    for made_up in range(9_000, 9_020):
        attempts.record(VIC, Verb.VIEW, made_up, f"GET /services/{made_up}")
    (entry,) = entries(refused=True)
    assert (entry.noun, entry.noun_id, entry.service_id) == ("console", 0, None)


def test_an_entry_of_a_rollout_names_the_service_and_the_rollout(app: Flask, world: World) -> None:
    rollout_id = start(world)
    succeed(*take(rollout_id))
    found = entries(rollout_id=rollout_id)
    assert {(entry.noun, entry.verb) for entry in found} == {("rollout", "upgrade"), ("step", "settle")}
    assert {entry.service_id for entry in found} == {world.service}


def test_who_keeps_trying_is_recorded_once_a_minute(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        attempts.record(VIC, Verb.ROLL_OUT, world.service, "POST /x")
    attempts.record(VIC, Verb.ROLL_OUT, world.other, "POST /x")
    attempts.record(VIC, Verb.MANAGE, world.service, "POST /x")
    attempts.record(VIC, Verb.MANAGE_FLEET, None, "POST /hosts")
    attempts.record(VIC, Verb.MANAGE_FLEET, None, "POST /hosts")
    assert len(entries(refused=True)) == 4
    monkeypatch.setattr(attempts, "utc_now", lambda: utc_now() + timedelta(seconds=61))
    attempts.record(VIC, Verb.ROLL_OUT, world.service, "POST /x")
    assert len(entries(refused=True)) == 5


def test_the_documented_grants_are_enough_for_the_console_and_do_not_let_it_change_the_record(
    postgres: Cluster, postgresql_template: str, tmp_path: Path
) -> None:
    text_of = (Path(__file__).parents[2] / "docs" / "people.md").read_text()
    grants = re.findall(r"^    ((?:GRANT|REVOKE|ALTER DEFAULT) .+;)$", text_of, re.MULTILINE)
    name = postgres.unused_name()
    url = postgres.create(name, postgresql_template)
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in ("CREATE ROLE deployer_app LOGIN", *grants):
            owner.execute(statement)  # type: ignore[call-overload]
    console = make_url(url).set(username="deployer_app").render_as_string()
    for _app in running(settings_for(tmp_path, console)):
        World.build()
        for statement in ("UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
            with pytest.raises(DBAPIError, match="permission denied"):
                db.session.execute(text(statement))
            db.session.rollback()
        with pytest.raises(DBAPIError, match="must be owner"):
            db.session.execute(text("DROP TRIGGER audit_entry_kept ON audit_entry"))
        db.session.rollback()
    postgres.drop(name)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as owner:
        owner.execute("DROP ROLE deployer_app")
