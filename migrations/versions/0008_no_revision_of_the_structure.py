"""A service has one revision: the one of its structure was written and never read"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("service", "structure_rev")


def downgrade() -> None:
    op.add_column("service", sa.Column("structure_rev", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.execute("UPDATE service SET structure_rev = rev")
