"""What a launch is given and leaves where it carries out no plan"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.add_column("launches", sa.Column("params", sa.JSON(), nullable=True))
    op.add_column("launches", sa.Column("outcome", sa.JSON(), nullable=True))


def downgrade():
    with op.batch_alter_table("launches") as batch:
        batch.drop_column("outcome")
        batch.drop_column("params")
