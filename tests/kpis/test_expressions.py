"""The language of measures: what it means, what it refuses, and where it points."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.contracts import CONTACTS, EVALUATIONS, INTERVALS, TABLES, Column
from ccanalysis.errors import ExpressionError
from ccanalysis.kpis.expressions import parse

LANGUAGE = "Use columns, numbers, 'texts', and, or, not, comparisons, in (...), is null, + - *"
FUNCTIONS = (
    "Known are coalesce, seconds_between, days_between, business_days_between, business_day, open_seconds_between"
)
NAMES = {column.name for column in CONTACTS.columns}


@pytest.mark.parametrize(
    ("text", "sql", "columns"),
    [
        ("wait_s <= 20", '"wait_s" <= 20', ["wait_s"]),
        ("wait_s == 20 or wait_s != 3", '"wait_s" = 20 OR "wait_s" <> 3', ["wait_s"]),
        (
            "outcome in ('answered', 'abandoned') and not escalated",
            "\"outcome\" IN ('answered', 'abandoned') AND NOT \"escalated\"",
            ["escalated", "outcome"],
        ),
        ("team = 'It''s; --' ", "\"team\" = 'It''s; --'", ["team"]),
        ("talk_s + coalesce(hold_s, 0) * 2", '"talk_s" + COALESCE("hold_s", 0) * 2', ["hold_s", "talk_s"]),
        ("- -wait_s - -5", '- -"wait_s" - -5', ["wait_s"]),
        ("(wait_s - talk_s) * 2", '("wait_s" - "talk_s") * 2', ["talk_s", "wait_s"]),
        ("wait_s between 5 and 10", '"wait_s" BETWEEN 5 AND 10', ["wait_s"]),
        ("reason is not null", 'NOT "reason" IS NULL', ["reason"]),
        ("escalated is true", '"escalated" IS TRUE', ["escalated"]),
        (
            "case when payment then wait_s else 0 end",
            'CASE WHEN "payment" THEN "wait_s" ELSE 0 END',
            ["payment", "wait_s"],
        ),
        ("case channel when 'sms' then 1 end", "CASE \"channel\" WHEN 'sms' THEN 1 END", ["channel"]),
        (
            "seconds_between(offered_at, answered_at) > 20",
            '(((epoch_us("answered_at") - epoch_us("offered_at")) + CASE WHEN (epoch_us("answered_at") - '
            'epoch_us("offered_at")) < 0 THEN -500000 ELSE 500000 END) // 1000000) > 20',
            ["answered_at", "offered_at"],
        ),
        ("offered_at >= '2026-01-01'", "\"offered_at\" >= '2026-01-01'", ["offered_at"]),
        ("local_date = '2026-01-01'", "\"local_date\" = '2026-01-01'", ["local_date"]),
        ("true", "TRUE", []),
        ('"wait_s" > 1.5', '"wait_s" > 1.5', ["wait_s"]),
        ("team = 'Zürich' and wait_s > 3", '"team" = \'Zürich\' AND "wait_s" > 3', ["team", "wait_s"]),
    ],
)
def test_an_expression_becomes_sql_with_quoted_columns(text, sql, columns):
    """What is written is built anew: columns in quotation marks, texts escaped, nothing else added."""
    read = parse(text, CONTACTS)
    assert read.sql.lower() == sql.lower()
    assert list(read.columns) == columns


@pytest.mark.parametrize(
    ("text", "kind", "condition"),
    [
        ("wait_s", "number", False),
        ("wait_s > 3", "boolean", True),
        ("(((escalated)))", "boolean", True),
        ("coalesce(escalated, false)", "boolean", True),
        ("case when wait_s > 3 then true else false end", "boolean", True),
        ("channel", "text", False),
        ("offered_at", "instant", False),
        ("null", "null", False),
        ("points * coalesce(weight, 1)", "number", False),
    ],
)
def test_an_expression_knows_what_it_gives(text, kind, condition):
    """A condition is told from a number by type, not by how it looks."""
    read = parse(text, EVALUATIONS if "points" in text else CONTACTS)
    assert (read.kind, read.condition) == (kind, condition)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wait_s / 2 > 1", "'/' is not allowed, at character 8 of 'wait_s / 2 > 1'. " + LANGUAGE),
        ("wait_s <= wait", "table 'contacts' has no column 'wait', at character 11 of 'wait_s <= wait'. "
                           "Did you mean 'wait_s'?"),
        ("WAIT_S > 3", "table 'contacts' has no column 'WAIT_S', at character 1 of 'WAIT_S > 3'. "
                       "Did you mean 'wait_s'?"),
        ("contacts.wait_s > 3", "'.' is not allowed, at character 9 of 'contacts.wait_s > 3'. " + LANGUAGE),
        ("sleep(5) > wait_s", "the function 'sleep' is not known, at character 1 of 'sleep(5) > wait_s'. " + FUNCTIONS),
        ("wait_s <= 'abc", "a quotation mark is not closed, at character 11 of \"wait_s <= 'abc\". "
                           "Write texts as 'voice'"),
        ("wait_s > 3 4", "the expression cannot be read, at character 12 of 'wait_s > 3 4'. " + LANGUAGE),
        ("true or\nwait_s > 3 4", "the expression cannot be read, at character 20 of 'true or\\nwait_s > 3 4'. "
                                  + LANGUAGE),
        ("wait_s = 3; drop table x", "';' is not allowed, at character 11 of 'wait_s = 3; drop table x'. " + LANGUAGE),
        ("wait_s > 3 -- all", "a comment is not allowed, at character 12 of 'wait_s > 3 -- all'. Take it out"),
        ("wait_s in talk_s", "'in' takes a list, at character 1 of 'wait_s in talk_s'. "
                             "Write for example channel in ('voice', 'chat')"),
        ("channel in (select 1)", "'select' is not allowed, at character 13 of 'channel in (select 1)'. " + LANGUAGE),
        ("outcome = 'anwsered'", "'anwsered' is not a value of 'outcome', at character 11 of \"outcome = 'anwsered'\". "
                                 "Did you mean 'answered'?"),
        ("'sms' <> outcome", "'sms' is not a value of 'outcome', at character 1 of \"'sms' <> outcome\". Known are: "
                             "abandoned, answered, callback_promised, flowed_out, left_menu, refused, voicemail, void"),
        ("channel in ('voice', 'fax')", "'fax' is not a value of 'channel', at character 22 of "
                                        "\"channel in ('voice', 'fax')\". "
                                        "Known are: chat, email, post, sms, social, video, voice"),
        ("channel = 3", "a text is compared with a number, at character 1 of 'channel = 3'. "
                        "Compare a column with a value of its own type"),
        ("wait_s between 3 and 'x'", "a number is compared with a text, at character 1 of "
                                     "\"wait_s between 3 and 'x'\". Compare a column with a value of its own type"),
        ("offered_at > 5", "a time is compared with a number, at character 1 of 'offered_at > 5'. "
                           "Compare a column with a value of its own type"),
        ("offered_at > local_date", "a time is compared with a date, at character 1 of 'offered_at > local_date'. "
                                    "Compare a column with a value of its own type"),
        ("case when payment then 1 else 'a' end", "a number and a text do not go together, at character 31 of "
                                                  "\"case when payment then 1 else 'a' end\". "
                                                  "Give results of one type"),
        ("team = null", "a comparison with null is never true, at character 1 of 'team = null'. "
                        "Write is null or is not null"),
        ("not wait_s", "'wait_s' is a number where true or false is needed, at character 5 of 'not wait_s'. "
                       "Write a comparison, such as wait_s > 0"),
        ("wait_s + team", "'team' is a text where a number is needed, at character 10 of 'wait_s + team'. "
                          "Use columns that are numbers"),
        ("seconds_between(offered_at, wait_s)", "'wait_s' is a number where a time is needed, at character 29 of "
                                                "'seconds_between(offered_at, wait_s)'. Use columns that are times"),
        ("seconds_between(offered_at) > 3", "seconds_between takes two times, at character 1 of "
                                            "'seconds_between(offered_at) > 3'. Write seconds_between(earlier, later)"),
        ("coalesce(wait_s, 'a')", "a number and a text do not go together, at character 18 of "
                                  "\"coalesce(wait_s, 'a')\". Give results of one type"),
        ("offered_at > 'Monday'", "'Monday' is not a time, at character 14 of \"offered_at > 'Monday'\". "
                                  "Write for example '2026-11-30'"),
        ("local_date > '2026-02-30'", "'2026-02-30' is not a date, at character 14 of \"local_date > '2026-02-30'\". "
                                      "Write for example '2026-11-30'"),
        ("wait_s > 1e5", "the number 1e5 is not allowed, at character 10 of 'wait_s > 1e5'. "
                         "Write at most 12 digits, and 6 after the point"),
        ("wait_s between symmetric 3 and 1", "'symmetric' is not allowed, at character 1 of "
                                             "'wait_s between symmetric 3 and 1'. Write the lower end first"),
        ("team = 'a\x00b'", "a control character is not allowed, at character 10 of \"team = 'a\\x00b'\". Take it out"),
        ("   ", "an expression must be a text. Write for example wait_s <= 20"),
        ("wait_s > 3 or " * 30 + "true",
         "the expression is longer than 400 characters or nested deeper than 30. Split it into several KPIs"),
        ("(" * 31 + "true" + ")" * 31,
         "the expression is longer than 400 characters or nested deeper than 30. Split it into several KPIs"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_in_one_line_that_points_at_it(text, message):
    """The error names the sign, the character it begins at and what to write."""
    with pytest.raises(ExpressionError) as refused:
        parse(text, CONTACTS)
    assert str(refused.value) == message


@pytest.mark.parametrize("text", [None, 5, ["wait_s"], ""])
def test_what_is_no_text_is_refused(text):
    """YAML gives numbers and lists where a text was forgotten."""
    with pytest.raises(ExpressionError, match=r"^an expression must be a text"):
        parse(text, CONTACTS)


@pytest.mark.parametrize(
    "text",
    [
        "(select max(wait_s) from contacts) > 3",
        "wait_s > (select 1)",
        "exists(select 1)",
        "wait_s in (select wait_s from contacts)",
        "wait_s = any([1, 2])",
        "read_csv('/etc/passwd') is null",
        "getenv('HOME') = 'x'",
        "main.contacts.wait_s > 3",
        "contacts.wait_s > 3",
        "contacts",
        "*",
        "count(*) > 1",
        "columns('.*') > 1",
        "wait_s::varchar = '1'",
        "cast(wait_s as varchar) = '1'",
        "try_cast(wait_s as varchar) = '1'",
        "wait_s collate nocase = 'x'",
        "lag(wait_s) over () > 1",
        "sum(wait_s) > 1",
        "list_filter([1], x -> x > 1) is null",
        "wait_s[1] > 2",
        "{'a': 1}.a > 0",
        "[1, 2] is null",
        "(1, 2) is null",
        "row(1, 2) is null",
        "struct_pack(a := 1) is null",
        "interval '1' day is null",
        "date '2026-01-01' is null",
        "timestamp '2026-01-01' is null",
        "current_date is null",
        "now() > offered_at",
        "wait_s > ?",
        "wait_s > $1",
        "wait_s > :a",
        "wait_s > @x",
        "wait_s > #1",
        "wait_s || 'x' = 'y'",
        "wait_s % 2 = 0",
        "wait_s // 2 = 0",
        "wait_s ** 2 = 0",
        "wait_s ^ 2 = 0",
        "wait_s & 2 = 0",
        "wait_s << 2 = 0",
        "team like '%a'",
        "team ilike '%a'",
        "team ~ 'a'",
        "team glob 'a*'",
        "team similar to 'a'",
        "regexp_matches(team, 'a')",
        "wait_s is distinct from 3",
        "wait_s as x",
        "wait_s x",
        "wait_s, talk_s",
        "wait_s > 3; select 1",
        "wait_s > 3;",
        "select wait_s from contacts",
        "with x as (select 1) select * from x",
        "from contacts",
        "copy contacts to 'x'",
        "attach 'x'",
        "install httpfs",
        "pragma version",
        "set threads = 1",
        "wait_s > 3 union select 1",
        "wait_s > 3 limit 4",
        "wait_s > 3 group by all",
        "wait_s > 3 -- comment",
        "wait_s > 3 /* comment */",
        "/* comment */ wait_s > 3",
        "e'\\x41' = team",
        "x'41' = team",
        "$$a$$ = team",
        "'a' 'b' = team",
        "`wait_s` > 3",
        "if(true, 1, 2)",
        "nullif(wait_s, 3)",
        "ifnull(wait_s, 3)",
        "greatest(wait_s, 3)",
        "try(wait_s)",
        "seconds_between(offered_at, answered_at, ended_at)",
        "filter(wait_s)",
        "wait_s filter (where true)",
        "not",
        "and",
        "()",
        "in (1)",
        "case end",
        "wait_s > 0x1f",
        "wait_s at time zone 'UTC' is null",
        "unnest([1])",
        "lambda x: x",
        "row_number",
        "rowid > 3",
        "filename = 'x'",
        "next_contact_s > 3",
    ],
)
def test_an_attack_is_refused_before_anything_runs(text):
    """Subqueries, functions, casts, stars, parameters, lambdas, other statements: none is in the language."""
    with pytest.raises(ExpressionError):
        parse(text, CONTACTS)


def test_the_columns_of_a_workspace_belong_to_its_table_only():
    """A count that a workspace declares can be named, there and nowhere else."""
    own = INTERVALS.extended((Column(name="n_calls_60s", type="integer", about="answered within 60 s"),))
    assert parse("n_calls_60s", own).columns == ("n_calls_60s",)
    with pytest.raises(ExpressionError, match=r"^table 'intervals' has no column 'n_calls_60s'"):
        parse("n_calls_60s", INTERVALS)


# What DuckDB runs is held against a reading in Python, over rows that have every mixture of values and gaps.

ROWS = [
    (wait, talk, channel, escalated)
    for wait in (None, 0, 5, 20)
    for talk in (None, 0, 7)
    for channel in (None, "voice", "chat")
    for escalated in (None, True, False)
]


@pytest.fixture(scope="module")
def table():
    """Open an in-memory table with the columns of `contacts`, filled with `ROWS`."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    listed = ", ".join(f'"{column.name}" {column.sql_type}' for column in CONTACTS.columns)
    connection.execute(f"CREATE TABLE contacts ({listed})")
    connection.executemany("INSERT INTO contacts (wait_s, talk_s, channel, escalated) VALUES (?, ?, ?, ?)", ROWS)
    yield connection
    connection.close()


def _number(depth):
    leaves = st.one_of(
        st.sampled_from([("wait_s", lambda r: r[0]), ("talk_s", lambda r: r[1])]),
        st.integers(0, 30).map(lambda n: (str(n), lambda r: n)),
    )
    if depth == 0:
        return leaves
    below = _number(depth - 1)
    return st.one_of(
        leaves,
        st.tuples(below, st.sampled_from("+-*"), below).map(_arithmetic),
        below.map(lambda a: (f"-{a[0]}", lambda r: None if a[1](r) is None else -a[1](r))),
        st.tuples(below, below).map(
            lambda pair: (
                f"coalesce({pair[0][0]}, {pair[1][0]})",
                lambda r: pair[0][1](r) if pair[0][1](r) is not None else pair[1][1](r),
            )
        ),
    )


def _arithmetic(parts):
    (left, f), sign, (right, g) = parts
    work = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[sign]
    return f"({left} {sign} {right})", lambda r: None if f(r) is None or g(r) is None else work(f(r), g(r))


def _condition(depth):
    numbers = _number(min(depth, 1))
    leaves = st.one_of(
        st.tuples(numbers, st.sampled_from(["<", "<=", ">", ">=", "=", "<>"]), numbers).map(_comparison),
        st.tuples(numbers, st.lists(st.integers(0, 30), min_size=1, max_size=3)).map(
            lambda pair: (
                f"{pair[0][0]} in ({', '.join(map(str, pair[1]))})",
                lambda r: None if pair[0][1](r) is None else pair[0][1](r) in pair[1],
            )
        ),
        st.sampled_from(["voice", "chat", "email"]).map(
            lambda c: (f"channel = '{c}'", lambda r: None if r[2] is None else r[2] == c)
        ),
        st.just(("escalated", lambda r: r[3])),
        numbers.map(lambda a: (f"{a[0]} is null", lambda r: a[1](r) is None)),
    )
    if depth == 0:
        return leaves
    below = _condition(depth - 1)
    return st.one_of(
        leaves,
        st.tuples(below, st.sampled_from(["and", "or"]), below).map(_logic),
        below.map(lambda a: (f"not ({a[0]})", lambda r: None if a[1](r) is None else not a[1](r))),
    )


def _comparison(parts):
    (left, f), sign, (right, g) = parts
    work = {
        "<": int.__lt__,
        "<=": int.__le__,
        ">": int.__gt__,
        ">=": int.__ge__,
        "=": int.__eq__,
        "<>": int.__ne__,
    }[sign]
    return f"{left} {sign} {right}", lambda r: None if f(r) is None or g(r) is None else work(f(r), g(r))


def _logic(parts):
    (left, f), word, (right, g) = parts

    def value(row):
        both, deciding = (f(row), g(row)), word == "or"
        if deciding in both:
            return deciding
        return None if None in both else not deciding

    return f"({left} {word} {right})", value


@settings(max_examples=150)
@given(_condition(2))
def test_sql_says_what_the_expression_says(table, made):
    """And, or, not, comparisons and gaps mean in DuckDB what three-valued logic says they mean."""
    text, value = made
    if len(text) > 400 or text.count("(") > 30:
        return
    sql = parse(text, CONTACTS).sql
    found = table.execute(f"SELECT {sql} FROM contacts ORDER BY rowid").fetchall()
    assert [row[0] for row in found] == [value(row) for row in ROWS]


WORDS = st.sampled_from(
    [*sorted(NAMES), "and", "or", "not", "in", "is", "null", "between", "case", "when", "then", "end", "(", ")", ",",
     "+", "-", "*", "=", "<", ">=", "'voice'", "'2026-01-01'", "20", "1.5", "true", "coalesce", "seconds_between",
     "select", "from", "contacts", ".", ";", "--", "::", "/", "'", '"', "[", "{", "$1", "?", "version()", "agents", "x"]
)  # fmt: skip


@settings(max_examples=400)
@given(st.one_of(st.lists(WORDS, max_size=9).map(" ".join), st.text(max_size=40)))
def test_no_text_reaches_beyond_the_table(table, text):
    """Whatever is written is refused in one line, or is SQL over the table's own columns that DuckDB can run."""
    try:
        read = parse(text, CONTACTS)
    except ExpressionError as error:
        assert "\n" not in str(error)
        return
    assert set(read.columns) <= NAMES
    outside = re.sub(r"'(?:[^']|'')*'", "", read.sql)
    assert set(re.findall(r'"([^"]*)"', outside)) <= NAMES
    plain = set(re.findall(r"[A-Za-z_]+", re.sub(r'"[^"]*"', "", outside)))
    assert {word.upper() for word in plain} <= {
        "AND", "OR", "NOT", "IN", "IS", "NULL", "TRUE", "FALSE", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END",
        "COALESCE", "EPOCH_US",
    }  # fmt: skip
    assert ";" not in outside and "--" not in outside and "/*" not in outside
    table.execute(f"SELECT {read.sql} FROM contacts").fetchall()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_contract_column_can_be_named(name):
    """Also those whose names mean something else in SQL, in quotation marks."""
    for column in TABLES[name].columns:
        assert parse(f'"{column.name}" is null', TABLES[name]).columns == (column.name,)
