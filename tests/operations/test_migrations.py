"""The schema comes from the migrations alone, up and down, on SQLite and PostgreSQL."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from deployer import migrating, schema
from deployer.domain.access import Scope
from deployer.domain.hosts import HostChoice
from deployer.domain.status import BuildStatus, Reach
from deployer.extensions import db
from deployer.models import Host, Instance, Token, Version
from deployer.operations import rollouts, tokens
from tests.standings import MAKERS
from tests.world import ADMIN, World


def test_the_migrations_make_exactly_the_tables_of_the_models(app: Flask) -> None:
    command.check(migrating.config())


def test_the_newest_revision_is_told_by_the_names_of_the_migrations(app: Flask) -> None:
    assert schema.newest() == ScriptDirectory.from_config(migrating.config()).get_current_head() == schema.current()


def test_the_migrations_can_be_taken_back_and_made_again(app: Flask) -> None:
    migrating.downgrade("base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]
    migrating.upgrade()
    assert set(inspect(db.engine).get_table_names()) == {*db.metadata.tables, "alembic_version"}


def test_what_the_older_program_does_not_know_is_taken_back_to_what_it_knows(app: Flask, world: World) -> None:
    paused = MAKERS["gate"](world)
    rollouts.resume(paused, HostChoice(everyone=False, ids=(world.hosts["web-2"],)), ADMIN)
    rollouts.pause(paused, ADMIN)
    MAKERS["stopping"](world)
    db.session.remove()
    migrating.downgrade("0001")
    with db.engine.connect() as connection:
        assert connection.execute(text("SELECT state FROM rollout ORDER BY id")).scalars().all() == [
            "running",
            "cancelling",
        ]
        states = connection.execute(text("SELECT state FROM step ORDER BY id")).scalars().all()
    assert states[:3] == ["succeeded", "queued", "cancelled"]
    migrating.upgrade()


def test_a_host_that_the_older_program_would_take_for_another_kind_keeps_the_newer_schema(
    app: Flask, world: World
) -> None:
    db.session.get_one(Host, world.hosts["web-1"]).reach = Reach.SSH
    db.session.commit()
    db.session.remove()
    with pytest.raises(CommandError):
        migrating.downgrade("0002")
    assert schema.current() >= "0003"


def test_a_token_for_some_services_keeps_the_newer_schema_until_it_is_revoked(app: Flask, world: World) -> None:
    tokens.create_token("ann", "bound", Scope.READ, "root", services=["orders"])
    tokens.create_token("ann", "over", Scope.READ, "root", days=-1)
    db.session.remove()
    with pytest.raises(CommandError, match="bound"):
        migrating.downgrade("0004")
    migrating.upgrade()  # the newer migrations have been taken back before this one refused
    bound = db.session.execute(select(Token).where(Token.name == "bound")).scalar_one()
    tokens.revoke_token("ann", bound.id, "root")
    db.session.remove()
    migrating.downgrade("0004")
    with db.engine.connect() as connection:
        revoked = "SELECT name FROM token WHERE revoked IS NOT NULL ORDER BY name"
        assert connection.execute(text(revoked)).scalars().all() == ["bound", "over"]
        keys = connection.execute(text('SELECT session_key FROM "user"')).scalars().all()
        assert len(set(keys)) == 2
    migrating.upgrade()


def test_a_host_has_at_most_one_instance_of_a_service(app: Flask, world: World) -> None:
    db.session.add(
        Instance(service_id=world.service, host_id=world.hosts["web-1"], version_id=world.versions["1.0.0"], port=1)
    )
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()


def test_a_version_label_is_unique_within_its_service(app: Flask, world: World) -> None:
    db.session.add(Version(service_id=world.service, label="1.0.0", status=BuildStatus.PENDING))
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()


def test_an_instance_cannot_run_another_services_version(app: Flask, world: World) -> None:
    instance = db.session.execute(select(Instance).where(Instance.service_id == world.service).limit(1)).scalar_one()
    instance.version_id = world.other_version
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()


def test_the_id_of_a_removed_version_is_never_given_again(app: Flask, world: World) -> None:
    newest = db.session.get_one(Version, world.other_version)
    db.session.execute(db.delete(Instance).where(Instance.version_id == newest.id))
    db.session.delete(newest)
    db.session.commit()
    version = Version(service_id=world.service, label="9", status=BuildStatus.PENDING)
    db.session.add(version)
    db.session.commit()
    assert version.id > newest.id


def test_services_keep_their_revision_when_that_of_the_structure_goes_and_comes(app: Flask, world: World) -> None:
    def revisions(columns: str) -> list[tuple[int, ...]]:
        with db.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM service ORDER BY id"))]

    db.session.remove()
    before = revisions("rev")
    migrating.downgrade("0007")
    assert revisions("rev, structure_rev") == [(rev, rev) for (rev,) in before]
    migrating.upgrade()
    assert revisions("rev") == before
    assert "structure_rev" not in {column["name"] for column in inspect(db.engine).get_columns("service")}
