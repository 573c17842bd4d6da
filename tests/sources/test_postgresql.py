"""PostgreSQL as a source: a real server is asked, only read, and its rows go the way of every other export."""

from __future__ import annotations

import itertools
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.errors import ContractError, EnvironmentFaultError, NoInputError, SettingsError
from ccanalysis.sources import postgresql
from ccanalysis.workspace import Workspace

from .conftest import CALLS_COLUMNS, call, counts, faults, rows
from .server import PASSWORD, Server

pytestmark = pytest.mark.postgres
COLUMNS = """
contact_id = "id"
offered_at = { column = "at", format = "iso" }
channel = { value = "voice" }
outcome = { value = "answered" }
"""
CARD = "4111 1111 1111 1111"
_names = itertools.count()


@pytest.fixture
def schema(server: Server) -> str:
    """A schema of the test's own that the reader may use."""
    name = f"test_{next(_names)}"
    server.run(
        f"CREATE SCHEMA {name}",
        f"GRANT USAGE ON SCHEMA {name} TO reader",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT ON TABLES TO reader",
    )
    return name


@pytest.fixture(autouse=True)
def address(monkeypatch, request):
    """The reader's connection string, where the settings look for it."""
    if "server" in request.fixturenames or "schema" in request.fixturenames:
        monkeypatch.setenv("CENTRE_DATABASE", request.getfixturevalue("server").address())


def ask(desk, *, columns=COLUMNS, table="contacts", name="calls", **asked):
    """Declare a source of the database."""
    given = "\n".join(f"{key} = {value!r}" for key, value in ({"connection": "CENTRE_DATABASE"} | asked).items())
    head = f'name = "{name}"\ntable = "{table}"\nformat = "postgresql"\n{given}'
    desk.sources.append(f"[[sources]]\n{head}\n[sources.columns]\n{columns}\n")


def read(desk, server, schema, column, mapping, kind, *cells):
    """Read one column of one type."""
    server.run(
        f"DROP TABLE IF EXISTS {schema}.one", f"CREATE TABLE {schema}.one (id text, at timestamptz, cell {kind})"
    )
    for number, cell in enumerate(cells):
        server.run(f"INSERT INTO {schema}.one VALUES ('c{number}', '2026-07-01 12:00+00', {cell})")
    base = (
        COLUMNS
        if column not in ("contact_id", "offered_at")
        else "\n".join(line for line in COLUMNS.splitlines() if not line.startswith(column))
    )
    desk.sources.clear()
    ask(desk, columns=f"{base}\n{column} = {mapping}", relation=f"{schema}.one")
    staged = desk.stage()
    values = dict(rows(staged.tables["contacts"], "source_row", column))
    wrong = {str(row): rule for row, name, rule in faults(staged) if name in (column, None)}
    return [wrong.get(str(n), values.get(str(n))) for n in range(2, len(cells) + 2)]


TIME = '{ column = "cell", format = "iso" }'
CLOCK = '{ column = "cell", unit = "hh:mm:ss" }'


@pytest.mark.parametrize(
    ("column", "mapping", "kind", "cells", "values"),
    [
        (
            *("ended_at", TIME, "timestamptz"),
            ["'2026-07-01 12:00+02'", "'2026-07-01 12:00:00.25-05'", "'infinity'", "'-infinity'", "NULL"],
            ["2026-07-01 10:00:00+00", "2026-07-01 17:00:00.25+00", "time", "time", None],
        ),
        (
            *("ended_at", TIME, "timestamp"),
            ["'2026-07-01 12:00'", "'2026-03-29 01:30'", "'2026-10-25 01:30'", "'infinity'", "'0044-03-15 12:00 BC'"],
            ["2026-07-01 11:00:00+00", "time_skipped", "time_twice", "time", "year"],
        ),
        ("ended_at", TIME, "date", ["'2026-07-01'", "'infinity'"], ["2026-06-30 23:00:00+00", "time"]),
        ("ended_at", TIME, "text", ["'2026-07-01T12:00:00Z'", "'yesterday'"], ["2026-07-01 12:00:00+00", "time"]),
        (
            *("transfers", '"cell"', "numeric"),
            ["2", "2.00", "2.5", "'NaN'", "'infinity'", "-1", "NULL"],
            ["2", "2", "whole", "whole", "whole", "low", None],
        ),
        ("transfers", '"cell"', "float8", ["12.0", "1.5", "'NaN'", "'-infinity'"], ["12", "whole", "whole", "whole"]),
        ("transfers", '{ column = "cell", missing = "NaN" }', "float8", ["'NaN'", "3"], [None, "3"]),
        ("transfers", '"cell"', "bigint", ["9007199254740993", "0"], ["9007199254740993", "0"]),
        ("wait_s", '{ column = "cell", unit = "ms" }', "integer", ["1500"], ["2"]),
        (
            *("wait_s", CLOCK, "interval"),
            ["'90 seconds'", "'1 day 02:00'", "'-1 second'", "'1 mon'", "NULL"],
            ["90", "93600", "low", "duration", None],
        ),
        ("wait_s", CLOCK, "time", ["'00:10:10'"], ["610"]),
        ("resolved", '"cell"', "boolean", ["true", "false", "NULL"], ["true", "false", None]),
        (
            "queue",
            '"cell"',
            "text",
            ["' Billing '", "''", "E'a\\nb'", "E'a\\x01b'"],
            ["Billing", None, "a\nb", "control"],
        ),
        ("queue", '"cell"', "char(9)", ["'Billing'"], ["Billing"]),
        (
            "contact_id",
            '"cell"',
            "uuid",
            ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
            ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_types_are_honoured(desk, server, schema, column, mapping, kind, cells, values):
    """Times with a zone are instants, whatever the server's zone; what is infinite or no number is quarantined."""
    assert read(desk, server, schema, column, mapping, kind, *cells) == values


@pytest.mark.parametrize("kind", ["integer[]", "jsonb", "bytea", "money"])
def test_a_type_that_no_mapping_reads_is_refused(desk, server, schema, kind):
    """What cannot be read as one value is named with its column."""
    with pytest.raises(ContractError) as told:
        read(desk, server, schema, "queue", '"cell"', kind, "NULL")
    assert str(told.value) == (
        f"calls, column 'cell': the column holds {kind.replace('integer', 'int4')}, which no mapping can read. "
        "Write a query that gives it as text, number, date or time"
    )


def test_a_query_gives_what_the_file_gives(desk, server, schema, tmp_path):
    """The same rows from a file and from a table make the same contacts."""
    cells = [call(f"c{n}", wait=str(n)) for n in range(5)] + [call("bad", wait="soon")]
    desk.calls(*cells)
    from_file = desk.stage()
    server.run(
        f'CREATE TABLE {schema}.calls ("Call ID" text, "Start" text, "Channel" text, "Result" text, "Wait" text, '
        '"Talk" text, "Agent" text, "Team" text, "Never asked for" text)'
    )
    for row in reversed(cells):
        listed = ", ".join(f"'{cell}'" for cell in row.split(","))
        server.run(f"INSERT INTO {schema}.calls VALUES ({listed}, 'unseen')")
    desk.sources.clear()
    ask(desk, columns=CALLS_COLUMNS, query=f"SELECT * FROM {schema}.calls -- all;")
    from_database = desk.stage()
    names = ["contact_id", "offered_at", "wait_s", "talk_s", "team", "local_date"]
    assert rows(from_database.tables["contacts"], *names) == rows(from_file.tables["contacts"], *names)
    assert counts(from_database) == counts(from_file) == {
        "read": 6, "kept": 5, "quarantined": 1, "duplicates": 0, "set_aside": 0
    }  # fmt: skip
    intake = from_database.intake.iloc[0]
    assert (intake["source"], intake["file"], intake["read"]) == ("calls", "calls", 6)
    assert faults(from_database) == [(2, "wait_s", "duration")]  # row 2 is the first in the order of the key
    assert from_database.notes == (
        "columns of source 'calls' that are not mapped stay outside: 'Never asked for'",
        "source 'calls' declares no zone; its times without an offset are read in the centre's zone, Europe/London",
    )


def test_the_same_data_give_the_same_bytes_in_whatever_order_they_lie(desk, server, schema):
    """Rows are sorted by key and content, so nothing is read anew where only their order changed."""
    server.run(f"CREATE TABLE {schema}.calls (id text, at timestamptz, n int)")
    server.run(
        f"INSERT INTO {schema}.calls SELECT 'é' || n, '2026-07-01'::timestamptz, n % 7 FROM generate_series(1, 5000) n"
    )
    ask(desk, columns=COLUMNS + 'transfers = "n"', relation=f"{schema}.calls")
    first = desk.stage()
    server.run(
        f"CREATE TABLE {schema}.again AS SELECT * FROM {schema}.calls ORDER BY md5(id)",
        f"DROP TABLE {schema}.calls",
        f"ALTER TABLE {schema}.again RENAME TO calls",
    )
    second = desk.stage()
    assert second.fingerprint == first.fingerprint
    assert second.intake["sha256"].tolist() == first.intake["sha256"].tolist()
    server.run(f"UPDATE {schema}.calls SET n = n + 1 WHERE id = 'é7'")
    third = desk.stage()
    assert third.fingerprint != first.fingerprint
    assert counts(third)["kept"] == 5000


def test_a_relation_is_asked_for_mapped_columns_alone(desk, server, schema):
    """A reader with a right to these columns alone can be the account; names are quoted, whatever they are."""
    server.run(
        f'CREATE TABLE {schema}."Odd""name; --" (id text, at timestamptz, secret text)',
        f'REVOKE ALL ON {schema}."Odd""name; --" FROM reader',
        f'GRANT SELECT (id, at) ON {schema}."Odd""name; --" TO reader',
        f"""INSERT INTO {schema}."Odd""name; --" VALUES ('c1', '2026-07-01', 'CANARY')""",
    )
    ask(desk, relation=f'{schema}.Odd"name; --')
    assert rows(desk.stage().tables["contacts"], "contact_id") == ["c1"]
    ask_secret = COLUMNS + 'queue = "secret"'
    desk.sources.clear()
    ask(desk, columns=ask_secret, relation=f'{schema}.Odd"name; --')
    with pytest.raises(EnvironmentFaultError, match="the account may not read what source 'calls' asks for"):
        desk.stage()


def test_card_data_are_masked_before_a_row_is_written(desk, server, schema, monkeypatch):
    """No file of the workspace holds them at any time, and the note names the source."""
    server.run(
        f"CREATE TABLE {schema}.calls (id text, at timestamptz, words text)",
        f"INSERT INTO {schema}.calls VALUES ('c1', '2026-07-01', E'my \"card\",\\nis {CARD}')",
        f"INSERT INTO {schema}.calls VALUES ('{CARD}', '2026-07-01', '')",
    )
    ask(desk, columns=COLUMNS + 'reason = "words"', relation=f"{schema}.calls")
    seen = []
    rename = postgresql.Path.rename

    def spied(self, target):
        seen.extend([self.read_bytes()] if self.is_file() else [])
        return rename(self, target)

    monkeypatch.setattr(postgresql.Path, "rename", spied)
    staged = desk.stage()
    assert b"[card]" in seen[0] and CARD.encode() not in seen[0].replace(f"{CARD},".encode(), b"")
    assert rows(staged.tables["contacts"], "contact_id", "reason", order="1") == [
        (CARD, None),
        ("c1", 'my "card",\nis [card]'),
    ]
    assert "calls: card numbers were masked once; take them out at the source" in staged.notes
    assert list((desk.root / ".ccanalysis" / "staged").glob(".*")) == []


def test_all_sources_of_one_database_are_of_one_moment(desk, server, schema, monkeypatch):
    """Rows that come between the first source and the second are not seen."""
    server.run(
        f"CREATE TABLE {schema}.calls (id text, at timestamptz)",
        f"INSERT INTO {schema}.calls VALUES ('c1', '2026-07-01')",
    )
    ask(desk, relation=f"{schema}.calls")
    ask(desk, relation=f"{schema}.calls", name="again")
    deliver = postgresql._Asked.deliver

    def late(self, file, number):
        if number:
            server.run(f"INSERT INTO {schema}.calls VALUES ('c2', '2026-07-01')")
        return deliver(self, file, number)

    monkeypatch.setattr(postgresql._Asked, "deliver", late)
    assert desk.stage().intake["read"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("DELETE FROM {s}.calls RETURNING *", "does not take the query of source 'calls': syntax error"),
        ("WITH gone AS (DELETE FROM {s}.calls RETURNING *) SELECT * FROM gone", "writes or does what a reading query"),
        ("SELECT id, at, {s}.write() FROM {s}.calls", "the query of source 'calls' writes, and a source may only read"),
        ("SELECT id, at, nextval('{s}.counter') FROM {s}.calls", "the query of source 'calls' writes"),
        ("SELECT 1) AS x; DELETE FROM {s}.calls; SELECT (1", "cannot insert multiple commands"),
        ("SELECT id, at FROM {s}.calls; COMMIT", "does not take the query of source 'calls': syntax error"),
    ],
)  # fmt: skip
def test_a_query_that_writes_is_refused_by_the_server(desk, server, schema, query, problem, monkeypatch):
    """Even where the account may write: the transaction reads only, and takes one command."""
    monkeypatch.setenv("CENTRE_DATABASE", server.address(user="owner"))
    server.run(
        f"CREATE TABLE {schema}.calls (id text, at timestamptz)",
        f"INSERT INTO {schema}.calls VALUES ('c1', '2026-07-01')",
        f"CREATE SEQUENCE {schema}.counter",
        f"CREATE FUNCTION {schema}.write() RETURNS int LANGUAGE sql AS 'DELETE FROM {schema}.calls RETURNING 1'",
    )
    extra = 'transfers = "write"' if ".write()" in query else 'transfers = "nextval"' if "nextval" in query else ""
    ask(desk, columns=COLUMNS + extra, query=query.format(s=schema))
    with pytest.raises(SettingsError) as told:
        desk.stage()
    assert problem in str(told.value)
    assert server.run(f"SELECT count(*) FROM {schema}.calls") == [(1,)]


def refusal(desk, kind):
    """Return what reading ends with; neither address nor account nor password is in it."""
    with pytest.raises(kind) as told:
        desk.stage()
    chain = told.value.__cause__ or (None if told.value.__suppress_context__ else told.value.__context__)
    shown = f"{told.value} {chain!r}"
    assert not any(secret in shown for secret in (PASSWORD, "ccanalysis-pg", "reader:", "nobody"))
    return str(told.value).removeprefix("ccanalysis.toml:4: ")


def test_what_stands_in_the_way_is_said_without_the_address(desk, server, schema, monkeypatch):
    """The variable, the server, the account, the relation, the column: each has an error of its own."""
    server.run(f"CREATE TABLE {schema}.calls (id text, at timestamptz)")
    ask(desk, relation=f"{schema}.calls")
    assert refusal(desk, NoInputError) == (
        "the database has no row for source 'calls'. Correct the query, or take the source out of the settings"
    )
    monkeypatch.delenv("CENTRE_DATABASE")
    assert refusal(desk, SettingsError) == (
        "source 'calls' needs the environment variable CENTRE_DATABASE, and it is not set. "
        "Set it to a connection string, as postgresql://reader@server/centre"
    )
    monkeypatch.setenv("CENTRE_DATABASE", f"{PASSWORD} and nothing else")
    assert refusal(desk, SettingsError) == (
        "the environment variable CENTRE_DATABASE holds no connection string. "
        "Write it as postgresql://reader@server/centre, special characters as %40"
    )
    monkeypatch.setenv("CENTRE_DATABASE", "postgresql://nobody:x@127.0.0.1:1/centre")
    assert refusal(desk, EnvironmentFaultError) == (
        "the database server that CENTRE_DATABASE names cannot be reached or refuses. "
        "Check that it runs, and host and port of the string in it"
    )
    for wrong in ({"password": "wrong"}, {"user": "nobody"}, {"password": ""}):
        monkeypatch.setenv("CENTRE_DATABASE", server.address(**wrong))
        assert refusal(desk, EnvironmentFaultError) == (
            "the database server that CENTRE_DATABASE names refuses the account or its password. "
            "Correct the string in it"
        )
    monkeypatch.setenv("CENTRE_DATABASE", server.address(database="center"))
    assert refusal(desk, EnvironmentFaultError) == (
        "the database server that CENTRE_DATABASE names has no database of that name. Correct the string in it"
    )


def test_mistyped_names_are_offered_the_nearest(desk, server, schema):
    """Of relations those that the account may read, of columns those that are there."""
    server.run(f"CREATE TABLE {schema}.calls (id text, at_ timestamptz)")
    ask(desk, relation=f"{schema}.cals")
    assert refusal(desk, SettingsError) == (
        f"the database of source 'calls' has no relation '{schema}.cals'. Did you mean '{schema}.calls'?"
    )
    desk.sources.clear()
    ask(desk, relation=f"{schema}.calls")
    assert refusal(desk, SettingsError) == (
        f"the relation '{schema}.calls' has no column 'at', which source 'calls' maps. Did you mean 'at_'?"
    )
    desk.sources.clear()
    ask(desk, query=f"SELECT id, at_ FROM {schema}.calls;")
    assert refusal(desk, SettingsError) == (
        "the query has no column 'at', which source 'calls' maps. Did you mean 'at_'?"
    )
    desk.sources.clear()
    ask(desk, query=f"SELECT id, at FROM {schema}.calls")
    assert refusal(desk, SettingsError) == (
        "the database does not take the query of source 'calls': column \"at\" does not exist. "
        "Correct it; it must be one SELECT"
    )
    desk.sources.clear()
    ask(desk, query=f"SELECT id, at_ AS at, at_ AS at FROM {schema}.calls")
    assert refusal(desk, SettingsError) == "the query gives the column 'at' twice. Give each a name of its own, with AS"


def test_a_failing_value_is_not_shown(desk, server, schema):
    """What the server says of it holds the value itself."""
    server.run(
        f"CREATE TABLE {schema}.calls (id text, at text)", f"INSERT INTO {schema}.calls VALUES ('c1', 'reader: x')"
    )
    ask(desk, query=f"SELECT id, at::timestamptz AS at FROM {schema}.calls")
    assert refusal(desk, ContractError) == (
        "the query of source 'calls' fails on the value of a row (SQLSTATE 22007). "
        "Write the query so that it gives such rows as they are; the mapping sorts them out"
    )


def test_a_slow_query_is_stopped(desk, server):
    """The server itself ends it after `timeout_s`."""
    ask(
        desk,
        query="SELECT 'c1' AS id, now() AS at, pg_sleep(60)::text AS z",
        timeout_s=1,
        columns=COLUMNS + 'queue = "z"',
    )
    assert refusal(desk, EnvironmentFaultError) == (
        "the database took longer than 1 s over source 'calls'. "
        "Ask for less, have the query made quicker, or raise 'timeout_s'"
    )


def test_without_the_package_the_extra_is_named(desk, monkeypatch):
    """Files can be read without it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    ask(desk, relation="calls")
    assert refusal(desk, EnvironmentFaultError) == (
        "source 'calls' is a PostgreSQL database, and the package that reads it is not installed. "
        "Install ccanalysis with the extra: pip install 'ccanalysis[postgres]'"
    )


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (
            {"connection": f"postgresql://reader:{PASSWORD}@server/centre", "relation": "calls"},
            "ccanalysis.toml:8: 'connection' must be the name of an environment variable, and what stands here is "
            'none. Put the connection string into a variable, and write its name: connection = "CENTRE_DATABASE"',
        ),
        (
            {"relation": "calls", "query": "SELECT 1"},
            "ccanalysis.toml:10: source 'calls' needs exactly one of 'relation' and 'query'. "
            'Write for example relation = "telephony.calls"',
        ),
        (
            {},
            "ccanalysis.toml:4: source 'calls' needs exactly one of 'relation' and 'query'. "
            'Write for example relation = "telephony.calls"',
        ),
        (
            {"relation": "a.b.c"},
            "ccanalysis.toml:9: 'relation' must be a table or a schema and a table. "
            'Write for example "telephony.calls"',
        ),
        (
            {"relation": "calls", "files": "*.csv"},
            "ccanalysis.toml:10: a database has no 'files'. Take 'files' out of source 'calls'",
        ),
        (
            {"relation": "calls", "timeout_s": 0},
            "ccanalysis.toml:10: 'timeout_s' must be 1 to 86400 seconds. 600 are ten minutes",
        ),
    ],
    ids=["a_secret", "both", "neither", "three_parts", "files", "timeout"],
)
def test_settings_that_cannot_be_followed(desk, asked, problem):
    """Each names its line; what stands in place of a variable's name is not shown."""
    ask(desk, **asked)
    with pytest.raises(SettingsError) as told:
        desk.open()
    assert str(told.value) == problem


def test_a_file_is_not_asked_like_a_database(desk):
    """A source of files that names a relation says what lacks."""
    desk.calls(call(), more='relation = "calls"')
    with pytest.raises(SettingsError) as told:
        desk.open()
    assert str(told.value) == (
        "ccanalysis.toml:8: a file has no 'relation'. Add format = \"postgresql\" to read from a database"
    )


@settings(max_examples=25)
@given(
    cells=st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20),
            st.one_of(st.none(), st.text(alphabet=',"\n\r; \\\t|Aé€\x1e\x1f', max_size=8)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_row_of_any_text_is_kept_a_duplicate_or_in_quarantine(tmp_path_factory, server, cells):
    """Quotes, delimiters, line breaks and controls in values move no row and lose none."""
    import psycopg

    from .conftest import Desk

    desk = Desk(tmp_path_factory.mktemp("any"))
    with psycopg.connect(server.address(user="owner"), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS anything")
        connection.execute("CREATE TABLE anything (id text, at timestamptz DEFAULT '2026-07-01', words text)")
        connection.cursor().executemany(
            "INSERT INTO anything (id, words) VALUES (%s, %s)", [("c" + a, b) for a, b in cells]
        )
        connection.execute("GRANT SELECT ON anything TO reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CENTRE_DATABASE", server.address())
        ask(desk, columns=COLUMNS + 'reason = "words"', relation="anything")
        try:
            staged = desk.stage()
        except ContractError as error:  # no row at all keeps the contract
            assert "none of the" in str(error)
            return
    found = counts(staged)
    assert found["read"] == len(cells) == found["kept"] + found["quarantined"] + found["duplicates"]
    kept = pd.read_parquet(staged.tables["contacts"])
    blanks = " \t\n\r\u00a0\u202f\ufeff"
    told = {("c" + a).replace("\r\n", "\n").replace("\r", "\n").strip(blanks) for a, _ in cells}
    assert set(kept["contact_id"]) <= told


def test_opening_the_settings_asks_nothing(desk):
    """A workspace opens without the server, the variable or the package."""
    ask(desk, relation="calls")
    assert isinstance(desk.open(), Workspace)
