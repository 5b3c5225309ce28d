"""``python -m webhook serve | launcher | up | token | audit verify``: the approval service from a shell."""

from __future__ import annotations

import argparse
import functools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "collections"))

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from webhook import audit
from webhook import config
from webhook import logs
from webhook.api import deliveries
from webhook.api import records
from webhook.database import Database
from webhook.desk import chores
from webhook.desk import pushes
from webhook.desk.desk import Desk
from webhook.notices import outbox


def _desk():
    settings = config.load()
    database = Database(settings.database, settings.database_password())
    database.migrate()
    return Desk(settings, database)


def serve(options):
    from webhook import serve as server
    from webhook.app import create_app

    if options.with_parent:
        server.end_with(options.with_parent)
    sys.argv = sys.argv[:1]  # gunicorn reads it
    server.Server(config.load(), create_app).run()
    return 0


def launcher(options):
    from webhook.runs.launcher import Launcher
    from webhook.serve import end_with

    if options.with_parent:
        end_with(options.with_parent)
    desk = _desk()
    often = [functools.partial(chore, desk) for chore in chores.OFTEN]
    seldom = [functools.partial(chore, desk) for chore in chores.SELDOM]
    # What waits for other servers must not hold up the launcher's steps.
    slow = [
        functools.partial(outbox.send, desk),
        functools.partial(pushes.fetch, desk, deliveries.record, records.FILE_NAME),
    ]
    Launcher(desk.settings, desk.database, often, seldom, slow).serve()
    desk.planner.close()
    return 0


def up(_options):
    from webhook.supervise import Supervisor

    return Supervisor().run()


def token(options):
    from webhook.login import sessions
    from webhook.rights import Caller

    who, given = options.principal, (options.role, options.tenant, options.site)
    roles, tenants, sites = map(tuple, given)
    caller = Caller(who, who, roles, tenants, sites=sites)
    _row, secret = sessions.make_token(_desk(), caller, options.name, options.role, options.days)
    print(secret)
    return 0


def verify(_options):
    desk = _desk()
    heads = audit.read_heads(desk.settings.folder / "audit.heads")
    with desk.database.read() as session:
        rows, wrong = audit.verify(session, heads)
    print(f"audit: {wrong}" if wrong else f"audit: {rows} rows, every one is there and unchanged")
    return 1 if wrong else 0


def main(argv):
    parser = argparse.ArgumentParser(prog="python -m webhook", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, work, words in (
        ("serve", serve, "the web process"),
        ("launcher", launcher, "claims what is approved, and runs it"),
        ("up", up, "both, started again when one dies"),
    ):
        made = commands.add_parser(name, help=words)
        made.set_defaults(work=work)
        made.add_argument("--with-parent", type=int, metavar="PID", help="end when that process, our parent, ends")
    made = commands.add_parser("token", help="make an API token for a principal, and print it")
    made.add_argument("principal")
    made.add_argument("--name", default="made on the shell")
    made.add_argument("--role", action="append", choices=config.ROLES, required=True)
    made.add_argument("--tenant", action="append", default=[])
    made.add_argument("--site", action="append", default=[], help="a site that an owner's token is for")
    made.add_argument("--days", type=int, default=30)
    made.set_defaults(work=token)
    made = commands.add_parser("audit", help="check the chain of hashes").add_subparsers(required=True)
    made.add_parser("verify").set_defaults(work=verify)
    options = parser.parse_args(argv)
    logs.begin()
    try:
        return options.work(options)
    except BrainError as error:
        print(f"webhook: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
