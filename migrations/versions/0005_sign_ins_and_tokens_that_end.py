"""Sign-ins that the server knows and can end; tokens that expire and are for some services; people from elsewhere

Columns are added and dropped in place, as in 0002. Whoever is signed in has to do it once more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OF_USER = (("issuer", sa.String(length=400), None), ("subject", sa.String(length=255), None))
OF_TOKEN = (
    ("expires", sa.DateTime(timezone=True), None),
    ("services", sa.JSON(), None),
    ("used", sa.DateTime(timezone=True), None),
    ("used_from", sa.String(length=64), sa.text("''")),
)
ADDED = (("user", OF_USER), ("token", OF_TOKEN))


def upgrade() -> None:
    op.execute('ALTER TABLE "user" RENAME COLUMN session_key TO device_key')
    for table, columns in ADDED:
        for name, kind, default in columns:
            op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
    op.create_index("ix_user_issuer_subject", "user", ["issuer", "subject"], unique=True)
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_sign_in_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
        sa.UniqueConstraint("sha256", name=op.f("uq_sign_in_sha256")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sign_in_user_id", "sign_in", ["user_id"])


def downgrade() -> None:
    # The older program would let these tokens do more than they were made for.
    bound = op.get_bind().execute(
        sa.text("SELECT name FROM token WHERE revoked IS NULL AND services IS NOT NULL ORDER BY id")
    )
    if names := bound.scalars().all():
        raise CommandError(
            f"{len(names)} tokens are for some services only ({', '.join(names[:5])}), which the older program does "
            "not know; revoke them first"
        )
    # It would also take a token that has expired.
    op.execute("UPDATE token SET revoked = expires WHERE revoked IS NULL AND expires < CURRENT_TIMESTAMP")
    op.drop_index("ix_sign_in_user_id", "sign_in")
    op.drop_table("sign_in")
    op.drop_index("ix_user_issuer_subject", "user")
    for table, columns in reversed(ADDED):
        for name, _, _ in reversed(columns):
            op.drop_column(table, name)
    op.execute('ALTER TABLE "user" RENAME COLUMN device_key TO session_key')
