"""Quotas and what is held of them"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.create_table(
        "quotas",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("resource", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "person", "resource"),
    )
    op.create_table(
        "holdings",
        sa.Column("task", sa.String(length=26), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("card_s", sa.BigInteger(), nullable=False),
        sa.Column("core_s", sa.BigInteger(), nullable=False),
        sa.Column("money_fen", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(["task"], ["tasks.id"]),
        sa.PrimaryKeyConstraint("task"),
    )
    op.add_column("tasks", sa.Column("priority", sa.Integer(), nullable=False, server_default="5"))
    op.create_index("holdings_by_tenant", "holdings", ["tenant", "month"])
