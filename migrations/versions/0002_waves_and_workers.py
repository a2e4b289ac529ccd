"""Waves, pauses, undo and retry; the table of workers

Columns are added and dropped in place: SQLite would rebuild a table for a constraint, and these are referred to.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ADDED = (
    ("wave_size", sa.String(length=10), sa.text("''")),
    ("stop_after", sa.Integer(), sa.text("1")),
    ("pause_after_first", sa.Boolean(), sa.false()),
    ("on_failure", sa.String(length=20), sa.text("'stop'")),
    ("wave", sa.Integer(), sa.text("1")),
    ("paused_by", sa.String(length=64), sa.text("''")),
    ("undo_by", sa.String(length=64), sa.text("''")),
    ("origin", sa.String(length=20), None),
    ("origin_id", sa.Integer(), None),
    ("plan_token", sa.String(length=100), None),
)


def upgrade() -> None:
    for name, kind, default in ADDED:
        op.add_column("rollout", sa.Column(name, kind, nullable=default is None, server_default=default))
    op.create_index("ix_rollout_origin_id", "rollout", ["origin_id"])
    op.create_index("ix_rollout_created_by_plan_token", "rollout", ["created_by", "plan_token"], unique=True)
    op.drop_index("ix_step_rollout_id_state", "step")
    op.create_index("ix_step_rollout_id_wave_state", "step", ["rollout_id", "wave", "state"])
    op.add_column("instance", sa.Column("probe_by", sa.String(length=64), nullable=True))
    op.create_index("ix_instance_probe_by", "instance", ["probe_by"])
    op.create_table(
        "worker",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker")),
    )
    op.create_index("ix_worker_seen", "worker", ["seen"])


def downgrade() -> None:
    # States that the program of then does not know. What was paused goes on: it could not be resumed any more.
    op.execute("UPDATE step SET state = 'cancelled' WHERE state = 'skipped'")
    op.execute("UPDATE rollout SET state = 'cancelling' WHERE state = 'stopping'")
    op.execute("UPDATE rollout SET state = 'running' WHERE state = 'paused'")
    op.drop_index("ix_worker_seen", "worker")
    op.drop_table("worker")
    op.drop_index("ix_instance_probe_by", "instance")
    op.drop_column("instance", "probe_by")
    op.drop_index("ix_step_rollout_id_wave_state", "step")
    op.create_index("ix_step_rollout_id_state", "step", ["rollout_id", "state"])
    op.drop_index("ix_rollout_created_by_plan_token", "rollout")
    op.drop_index("ix_rollout_origin_id", "rollout")
    for name, _, _ in reversed(ADDED):
        op.drop_column("rollout", name)
