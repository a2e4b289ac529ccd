"""Which versions cannot be reverted past, and where two versions of a service are compared

Columns are added and dropped in place, as in 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ADDED = (("version", "irreversible", 200), ("service", "compare_url", 2048))


def upgrade() -> None:
    for table, name, length in ADDED:
        kind = sa.String(length=length)
        op.add_column(table, sa.Column(name, kind, nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    for table, name, _ in reversed(ADDED):
        op.drop_column(table, name)
