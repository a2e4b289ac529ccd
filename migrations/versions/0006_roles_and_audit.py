"""Roles for single services; where a change came from; what is recorded stays as it is

The triggers hold for everybody who writes to the tables, the owner of the database included.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ADDED = (
    ("service_id", sa.Integer(), None),
    ("rollout_id", sa.Integer(), None),
    ("source", sa.String(length=64), sa.text("''")),
    ("token", sa.String(length=80), sa.text("''")),
    ("refused", sa.Boolean(), sa.false()),
)
INDEXES = (
    ("ix_audit_entry_at", ["at"]),
    ("ix_audit_entry_actor_id", ["actor", "id"]),
    ("ix_audit_entry_service_id_id", ["service_id", "id"]),
    ("ix_audit_entry_rollout_id", ["rollout_id"]),
)
KEPT = "The record of changes is only ever added to"


def upgrade() -> None:
    op.create_table(
        "service_role",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_service_role_service_id_service")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_service_role_user_id_user")),
        sa.PrimaryKeyConstraint("user_id", "service_id", name=op.f("pk_service_role")),
    )
    op.create_index(op.f("ix_service_role_service_id"), "service_role", ["service_id"])
    for name, kind, default in ADDED:
        op.add_column("audit_entry", sa.Column(name, kind, nullable=default is None, server_default=default))
    for index, columns in INDEXES:
        op.create_index(op.f(index), "audit_entry", columns)
    for statement in _guard():
        op.execute(statement)


def downgrade() -> None:
    people = op.get_bind().execute(sa.text("""SELECT count(*) FROM "user" WHERE role = 'none'""")).scalar_one()
    if people:
        raise CommandError(
            f"{people} people have no role for all services. The older program does not know that: give them one first."
        )
    for statement in _unguard():
        op.execute(statement)
    for index, _ in reversed(INDEXES):
        op.drop_index(op.f(index), "audit_entry")
    for name, *_ in reversed(ADDED):
        op.drop_column("audit_entry", name)
    op.drop_table("service_role")


def _guard() -> list[str]:
    if op.get_bind().dialect.name == "sqlite":
        return [
            f"CREATE TRIGGER audit_entry_no_{what} BEFORE {what} ON audit_entry "
            f"BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
            for what in ("update", "delete")
        ]
    return [
        f"CREATE FUNCTION audit_entry_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN RAISE EXCEPTION '{KEPT}'; END$$",
        "CREATE TRIGGER audit_entry_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_kept()",
    ]


def _unguard() -> list[str]:
    if op.get_bind().dialect.name == "sqlite":
        return [f"DROP TRIGGER audit_entry_no_{what}" for what in ("update", "delete")]
    return ["DROP TRIGGER audit_entry_kept ON audit_entry", "DROP FUNCTION audit_entry_kept()"]
