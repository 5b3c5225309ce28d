"""Tables: of states, of the database, of words. What the code says of itself is held against what it does."""

import hashlib
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from babel.messages.extract import extract_from_dir
from sqlalchemy import text

import webhook
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from tests.webhook.test_heard import plays
from tests.webhook.test_sentences import sentences
from webhook import audit
from webhook import config
from webhook import database
from webhook import states
from webhook.models import Base
from webhook.models import Task
from webhook.problems import TITLES
from webhook.speech import catalogue

ROOT = Path(webhook.__file__).parent


# -- states ----------------------------------------------------------------------------------------------
def test_every_state_is_reached_and_every_end_is_an_end():
    for kind, first, ends in (("task", "submitted", states.TASK_ENDS), ("launch", "queued", states.LAUNCH_ENDS),
                              ("notice", "pending", ("sent",))):  # fmt: skip
        table = states.TABLES[kind]
        reached, ring = {first}, {first}
        while ring:
            ring = {after for (before, _event), after in table.items() if before in ring} - reached
            reached |= ring
        known = {state for state, _event in table} | set(table.values())
        assert reached == known
        without_way_out = known - {before for before, _event in table}
        assert without_way_out <= set(ends)


def test_an_illegal_move_names_what_is_allowed():
    with pytest.raises(states.Illegal) as caught:
        states.after("task", "rejected", "approve")
    assert caught.value.allowed == []
    with pytest.raises(states.Illegal) as caught:
        states.after("task", "proposed", "approve")
    assert "confirm" in caught.value.allowed


def test_only_the_database_file_writes_a_state():
    found = []
    for path in ROOT.rglob("*.py"):
        if path.name in ("database.py", "0001_first_tables.py"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\.state\s*=[^=]", line) and "row.state = fresh.state" not in line:
                found.append(f"{path}:{number}: {line.strip()}")
    assert found == []


def test_a_move_is_taken_by_one_of_two(desk):
    now, run = desk.now(), desk.new_id()
    with desk.database.write() as session:
        database.add_task(
            session, id=run, name="n", tenant="t", requester="r", source="api", document="{}", created_at=now,
            updated_at=now,
        )  # fmt: skip
    with desk.database.read() as session:
        stale = session.get(Task, run)
    with desk.database.write() as session:
        database.move(session, session.get(Task, run), "withdraw", now)
    with pytest.raises(database.Stale), desk.database.write() as session:
        database.move(session, stale, "propose", now)


# -- the database ----------------------------------------------------------------------------------------
def test_the_migrations_make_the_tables_of_the_models(desk):
    with desk.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_tables_are_the_same_on_postgresql(postgres):
    made = database.Database(postgres)
    made.migrate()
    made.migrate()
    with made.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    made.close()


# -- the audit -------------------------------------------------------------------------------------------
def noted(desk, count=6):
    with desk.database.write() as session:
        for number in range(count):
            audit.note(session, desk.now(), f"p{number}", "did", "it", number=number)


def verdict(desk, heads=()):
    with desk.database.read() as session:
        return audit.verify(session, heads)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE audit SET actor = 'other' WHERE number = 3", "row 3 was changed"),
        ("UPDATE audit SET details = '{}' WHERE number = 2", "row 2 was changed"),
        ("DELETE FROM audit WHERE number = 4", "row 4 is missing"),
        ("DELETE FROM audit WHERE number = 1", "row 1 is missing"),
        ("UPDATE audit SET number = 99 WHERE number = 2", "row 2 is missing"),
        ("DELETE FROM audit WHERE number > 4", "rows after 4 are missing"),
    ],
)
def test_the_audit_finds_what_was_done_to_it(desk, statement, sentence):
    noted(desk)
    with desk.database.read() as session:
        heads = [audit.head(session)]
    assert verdict(desk, heads) == (6, None)
    with desk.database.engine.begin() as connection:
        connection.execute(text(statement))
    assert sentence in verdict(desk, heads)[1]


def test_the_audit_finds_two_rows_exchanged_and_a_chain_written_anew(desk):
    noted(desk)
    with desk.database.read() as session:
        heads = [audit.head(session)]
    with desk.database.engine.begin() as connection:
        for before, after in ((2, 90), (3, 2), (90, 3)):
            connection.execute(text(f"UPDATE audit SET number = {after} WHERE number = {before}"))
    assert "row 2" in verdict(desk, heads)[1]
    with desk.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit"))
    noted(desk)
    with desk.database.write() as session:
        audit.note(session, "2027-01-01T00:00:00Z", "p", "did", "it")
    assert verdict(desk)[1] is None
    with desk.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit"))
    with desk.database.write() as session:
        for _again in range(7):
            audit.note(session, "2027-01-01T00:00:00Z", "forger", "did", "it")
    assert "rewritten" in verdict(desk, heads)[1]


# -- settings --------------------------------------------------------------------------------------------
def test_the_labs_logins_are_refused_where_others_reach_us(rendered, tmp_path):
    base = {"SUANWANG_CONFIG": str(rendered), "SUANWANG_STATE": str(tmp_path)}
    for address in ("0.0.0.0:8008", "[::]:8008", "10.1.2.3:80", "example.org:80"):
        with pytest.raises(Invalid, match="for this machine only"):
            config.load({**base, "SUANWANG_BIND": address})
    assert config.load({**base, "SUANWANG_BIND": "[::1]:8008"}).loopback


def test_a_secret_that_others_can_read_is_refused(settings):
    path = settings.credentials / "loose"
    path.write_text("x")
    path.chmod(0o644)
    with pytest.raises(Invalid, match="readable by others"):
        settings.secret("loose")
    with pytest.raises(Invalid, match="holds a password"):
        config.load(
            {
                "SUANWANG_CONFIG": str(settings.config),
                "SUANWANG_STATE": str(settings.state),
                "SUANWANG_DATABASE": "postgresql://a:b@host/db",
            }
        )


# -- words and files -------------------------------------------------------------------------------------
def test_every_word_of_the_pages_has_its_translation():
    method_map = [("pages/**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
    keywords = {"_": None, "mark": None, "translate": None, "gettext": None}
    options = {"templates/**.html": {"newstyle_gettext": "true"}}
    asked = {
        message
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT, method_map, options, keywords, strip_comment_tags=True
        )
    } | set(TITLES.values())
    asked -= sentences()
    known = catalogue.catalogue("zh-CN")._catalog
    assert sorted(one for one in asked if one not in known) == []
    everything = asked | sentences() | plays() | {"It did not work"}
    assert sorted(one for one in known if one and one not in everything) == []
    for one in asked:
        assert set(re.findall(r"%\(\w+\)s", one)) == set(re.findall(r"%\(\w+\)s", known[one])), one


def test_what_comes_from_others_is_as_it_came():
    folder = ROOT / "static" / "vendor"
    listed = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert set(listed) == {path.name for path in folder.glob("*.js")}
    for name, wanted in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == wanted
