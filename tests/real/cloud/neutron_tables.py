"""Makes Neutron's tables from its models: its migrations need what SQLite cannot. ``python neutron_tables.py URL``."""

import sys

import sqlalchemy
from neutron.db.migration.models import head


def main():
    head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))


if __name__ == "__main__":
    main()
