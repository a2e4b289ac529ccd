"""How hosts are reached, their labels, keys and checks; credentials; the names of failures

Columns are added and dropped in place, as in 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ADDED = (
    ("ssh_user", sa.String(length=64), sa.text("''")),
    ("ssh_port", sa.Integer(), None),
    ("jump", sa.String(length=400), sa.text("''")),
    ("retired", sa.DateTime(timezone=True), None),
    ("check_by", sa.String(length=64), None),
    ("checked", sa.DateTime(timezone=True), None),
    ("facts", sa.JSON(), None),
    ("check_kind", sa.String(length=40), sa.text("''")),
    ("check_cause", sa.Text(), sa.text("''")),
    ("check_remedy", sa.Text(), sa.text("''")),
)


def upgrade() -> None:
    op.create_table(
        "credential",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("public", sa.String(length=1024), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
        sa.UniqueConstraint("name", name=op.f("uq_credential_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sealing_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("public", sa.String(length=64), nullable=False),
        sa.Column("published", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealing_key")),
    )
    for name, kind, default in ADDED:
        op.add_column("host", sa.Column(name, kind, nullable=default is None, server_default=default))
    # Alembic knows no way to say this to SQLite, which does know it.
    op.execute(
        "ALTER TABLE host ADD COLUMN credential_id INTEGER "
        "CONSTRAINT fk_host_credential_id_credential REFERENCES credential (id)"
    )
    op.add_column("step", sa.Column("failure", sa.String(length=40), nullable=False, server_default=sa.text("''")))
    op.create_index("ix_host_credential_id", "host", ["credential_id"])
    op.create_index("ix_host_check_by", "host", ["check_by"])
    op.create_table(
        "host_label",
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_host_label_host_id_host")),
        sa.PrimaryKeyConstraint("host_id", "label", name=op.f("pk_host_label")),
    )
    op.create_index("ix_host_label_label", "host_label", ["label"])
    op.create_table(
        "host_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=2048), nullable=False),
        sa.Column("fingerprint", sa.String(length=50), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_host_key_host_id_host")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_key")),
        sa.UniqueConstraint("host_id", "key", name=op.f("uq_host_key_host_id_key")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    # The program of then would take no host for what it is that is reached by SSH, and guess nothing about it.
    elsewhere = op.get_bind().execute(sa.text("SELECT hostname FROM host WHERE reach <> 'local' ORDER BY hostname"))
    if names := elsewhere.scalars().all():
        raise CommandError(
            f"{len(names)} hosts are reached by SSH ({', '.join(names[:5])}), which the older program does not know"
        )
    retired = op.get_bind().execute(sa.text("SELECT hostname FROM host WHERE retired IS NOT NULL ORDER BY hostname"))
    if names := retired.scalars().all():
        raise CommandError(
            f"{len(names)} hosts are retired ({', '.join(names[:5])}), and the older program would use them again"
        )
    op.drop_column("step", "failure")
    op.drop_table("host_key")
    op.drop_index("ix_host_label_label", "host_label")
    op.drop_table("host_label")
    op.drop_index("ix_host_check_by", "host")
    op.drop_index("ix_host_credential_id", "host")
    op.drop_column("host", "credential_id")
    for name, _, _ in reversed(ADDED):
        op.drop_column("host", name)
    op.drop_table("sealing_key")
    op.drop_table("credential")
