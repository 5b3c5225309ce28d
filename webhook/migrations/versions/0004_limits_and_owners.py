"""What a launch is given and leaves where it carries out no plan; the sites that somebody owns"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
PEOPLE = ("persons", "logins", "tokens")


def upgrade():
    op.add_column("launches", sa.Column("params", sa.JSON(), nullable=True))
    op.add_column("launches", sa.Column("outcome", sa.JSON(), nullable=True))
    for table in PEOPLE:
        op.add_column(table, sa.Column("sites", sa.JSON(), nullable=False, server_default="[]"))


def downgrade():
    for table in PEOPLE:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("sites")
    with op.batch_alter_table("launches") as batch:
        batch.drop_column("outcome")
        batch.drop_column("params")
