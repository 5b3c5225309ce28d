"""Alembic's entrance. The connection is given by Database.migrate: no address is configured here."""

from alembic import context

from webhook.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()
