"""The same components, bit for bit, on DuckDB, PostgreSQL and Spark: every measure, level and kind of period."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from ccanalysis import dialects, warehouse
from ccanalysis.contracts import CONTACTS, TABLES
from ccanalysis.engine import connect
from ccanalysis.errors import EnvironmentFaultError, RegisterError, SettingsError
from ccanalysis.kpis.components import LEVELS, components, lacking, parts
from ccanalysis.kpis.expressions import parse
from ccanalysis.kpis.measures import CATALOGUE, Measure, Side, choices, from_catalogue
from ccanalysis.periods import KINDS, Period
from ccanalysis.sources.clock_changes import clock_changes

from ..servers import postgres_server
from .conftest import make_kpi
from .worlds import BEGINNINGS, calendar, files, world

SEEDS = (1, 2)
ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("postgres", "spark")]


def every_measure():
    """Return the catalogue, each with its defaults and with each value of its choices."""
    listed = []
    for name, function in CATALOGUE.items():
        variants = [{}]
        for parameter in function.__kwdefaults__ or {}:
            variants += [{parameter: value} for value in choices(name, parameter)]
        for parameters in variants:
            measure = from_catalogue(name, parameters)
            listed.append(make_kpi(measure, id=f"m{len(listed):03}_{name}"[:40], levels=tuple(LEVELS)))
    where = "team <> 'a\\''b' and offered_at >= '2024-12-20T10:00' and local_date < '2027-01-01'"
    own = [
        Side(of="talk_s * 0.15 + coalesce(hold_s, 0.5)", scale=10, where=where.replace("\\", "")),
        Side(of="case when wait_s > 20 then -1.5 * wait_s else seconds_between(ended_at, offered_at) end"),
        Side(where="queue < 'a' or queue in ('Billing', 'It''s') or not (payment is true)"),
    ]
    for number, side in enumerate(own):
        measure = Measure(
            key="own",
            about="own",
            kind="ratio",
            unit="count",
            better="up",
            numerator=side,
            denominator=Side(),
            source="own",
        )
        listed.append(make_kpi(measure, id=f"own_{number}", levels=tuple(LEVELS)))
    population = {"population": "reason = 'Bill' or channel in ('voice', 'chat')", "population_columns": ("reason",)}
    return [*listed, make_kpi("aht", id="within", levels=tuple(LEVELS), **population)]


KPIS = every_measure()
_FIRST = {kpi.measure.key: kpi.id for kpi in reversed(KPIS) if kpi.measure.key != "own"}
DEFAULTS = {*_FIRST.values(), *(kpi.id for kpi in KPIS if kpi.id.startswith(("own", "within")))}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Seed -> the tables as files."""
    return {seed: files(tmp_path_factory.mktemp(f"world{seed}"), world(seed)) for seed in SEEDS}


@pytest.fixture(scope="module")
def postgres(worlds):
    """Seed -> the tables in a schema each of a PostgreSQL server, with types as a database has them."""
    import psycopg
    import pyarrow.parquet as pq

    types = {"text": "varchar", "integer": "integer", "number": "double precision", "boolean": "boolean"}
    types |= {"instant": "timestamptz", "date": "date"}
    with tempfile.TemporaryDirectory(prefix="pg") as scratch:
        Path(scratch).chmod(0o755)
        with postgres_server(Path(scratch) / "s") as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("SET timezone = 'Pacific/Apia'")
                for seed, paths in worlds.items():
                    connection.execute(f"CREATE SCHEMA world{seed}")
                    for name, path in paths.items():
                        rows = pq.read_table(path)
                        kept = [c for c in TABLES[name].columns if rows[c.name].null_count < len(rows)]
                        listed = ", ".join(f'"{c.name}" {types[c.type]}' for c in kept)
                        connection.execute(f'CREATE TABLE world{seed}."{name}" ({listed})')
                        with connection.cursor().copy(f'COPY world{seed}."{name}" FROM STDIN') as copy:
                            for row in rows.select([c.name for c in kept]).to_pylist():
                                copy.write_row(list(row.values()))
            opened = {seed: warehouse.PostgreSQL(dsn, schema=f"world{seed}") for seed in worlds}
            yield opened
            for one in opened.values():
                one.connection.close()


@pytest.fixture(scope="module")
def session():
    """A Spark session on this machine, in a zone far from the centre's."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").appName("tests")
    for key, value in {
        "spark.sql.session.timeZone": "America/Los_Angeles",
        "spark.sql.shuffle.partitions": "1",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def spark(worlds, session):
    """Seed -> the tables as views of a schema each."""
    opened = {}
    for seed, paths in worlds.items():
        session.sql(f"CREATE SCHEMA IF NOT EXISTS world{seed}")
        for name, path in paths.items():
            session.read.parquet(str(path)).createOrReplaceTempView(f"t{seed}_{name}")
        opened[seed] = _Views(session, seed)
    return opened


class _Views(warehouse.Spark):
    """Temporary views have no schema, so each world's carry its number in their names."""

    def __init__(self, session, seed):
        super().__init__(session)
        self.seed = seed

    def _place(self, table):
        return self.dialect.quoted(f"t{self.seed}_{table}")


@pytest.fixture
def engine(request):
    """The engine of a test, by its name."""
    return request.getfixturevalue(request.param)


def span(kind):
    """Return the first and last period of a kind over all worlds."""
    return Period.containing(min(BEGINNINGS), kind), Period.containing(max(BEGINNINGS), kind).shift(8)


def measured(tables, kpis, kind, **more):
    """Measure over all worlds' days."""
    since, until = span(kind)
    given = {"kind": kind, "since": since, "until": until, "contract": TABLES, "calendar": calendar()}
    return components(tables, kpis, **given, **more)


@pytest.mark.parametrize(
    ("engine", "seed"),
    [
        pytest.param("postgres", 1, marks=pytest.mark.postgres),
        pytest.param("postgres", 2, marks=pytest.mark.postgres),
        pytest.param("spark", 1, marks=pytest.mark.spark),
    ],
    indirect=["engine"],
)
@pytest.mark.slow
def test_every_measure_is_the_same_to_the_last_bit(engine, worlds, seed):
    """All measures and levels by ISO week, on data with awkward texts, halves and clock changes.

    On PostgreSQL with each value of their parameters; Spark needs a second per query, so there as they are by default.
    """
    kpis = [kpi for kpi in KPIS if not isinstance(engine[seed], _Views) or kpi.id in DEFAULTS]
    one, other = measured(worlds[seed], kpis, "week"), measured(engine[seed], kpis, "week")
    assert len(one.sums) > 3000 and len(one.histograms) > 1000
    pd.testing.assert_frame_equal(other.sums, one.sums, check_exact=True)
    pd.testing.assert_frame_equal(other.histograms, one.histograms, check_exact=True)


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "week"])
@pytest.mark.slow
def test_every_kind_of_period_is_the_same(engine, worlds, kind):
    """Days, months, quarters and years are cut alike; hours of the day too."""
    wanted = ("aht", "fcr", "backlog_over", "resolution_percentile", "uphold_rate", "final_response")
    kpis = [kpi for kpi in KPIS if kpi.id in DEFAULTS and kpi.measure.key in wanted]
    for more in ({}, {"by_hour": True}):
        one, other = measured(worlds[1], kpis, kind, **more), measured(engine[1], kpis, kind, **more)
        assert len(one.sums)
        pd.testing.assert_frame_equal(other.sums, one.sums, check_exact=True)
        pd.testing.assert_frame_equal(other.histograms, one.histograms, check_exact=True)


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.slow
def test_figures_taken_apart_are_the_same(engine, worlds):
    """With the number of people behind each, which is counted by the order of their identifiers."""
    since, until = span("quarter")
    given = {"kind": "quarter", "since": since, "until": until, "contract": TABLES, "calendar": calendar()}
    kpis = [kpi for kpi in KPIS if kpi.id in DEFAULTS]
    one, other = parts(worlds[2], kpis, **given), parts(engine[2], kpis, **given)
    assert one["people"].max() == 6
    pd.testing.assert_frame_equal(other, one, check_exact=True)


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_what_lacks_is_the_same(engine, worlds):
    """A column that the warehouse does not have is one without a value."""
    one = lacking({name: path for name, path in worlds[1].items() if name != "surveys"}, KPIS, TABLES)
    without = engine[1]
    without._columns["surveys"] = frozenset()
    try:
        assert lacking(without, KPIS, TABLES) == one != {}
    finally:
        del without._columns["surveys"]


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_sums_that_grow_too_large_are_an_error_everywhere(engine):
    """No engine wraps round, and no value is told."""
    side = Side(of="wait_s * 999999999999 * 999999999999", where="wait_s > 0")
    measure = replace(from_catalogue("answer_rate", {}), kind="ratio", numerator=side)
    with pytest.raises(RegisterError) as refused:
        measured(engine[1], [make_kpi(measure)], "year")
    assert str(refused.value).startswith("kpis.yml: the measures cannot be computed (")
    assert str(refused.value).endswith("). Look for products and sums that grow too large")


@pytest.mark.spark
def test_a_session_keeps_its_settings(session, spark):
    """The user's zone stays the user's, before and after."""
    before = dict(session.conf.getAll)
    measured(spark[1], KPIS[:3], "month")
    assert dict(session.conf.getAll) == before
    assert before["spark.sql.session.timeZone"] == "America/Los_Angeles"


@pytest.mark.spark
def test_a_session_that_wraps_round_is_refused(session):
    """Without ANSI arithmetic a large sum would become another number in silence."""
    changed = session.newSession()
    changed.conf.set("spark.sql.ansi.enabled", "false")
    with pytest.raises(SettingsError, match=r"Start it with spark.sql.ansi.enabled=true"):
        warehouse.Spark(changed)


@pytest.mark.postgres
def test_nothing_can_be_written_through_the_connection(postgres):
    """The transaction may only read; what the server refuses is told without its words."""
    with pytest.raises(EnvironmentFaultError, match=r"^PostgreSQL does not answer \(UndefinedTable\)\."):
        postgres[1].run("SELECT * FROM nowhere")
    import psycopg

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        postgres[1].connection.execute("CREATE TABLE world1.mine (n int)")


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_told_without_its_address():
    """The way to connect may hold a password."""
    with pytest.raises(EnvironmentFaultError) as refused:
        warehouse.PostgreSQL("host=/nowhere-at-all password=secret")
    assert "secret" not in str(refused.value) and "nowhere" not in str(refused.value)


def test_the_connection_comes_from_the_environment(monkeypatch):
    """A variable that is not set is named, so that no password need stand in a file."""
    monkeypatch.delenv("CENTRE_DSN", raising=False)
    with pytest.raises(SettingsError) as refused:
        warehouse.from_environment("postgresql", "CENTRE_DSN", "")
    assert str(refused.value) == (
        "ccanalysis.toml: the environment variable CENTRE_DSN of [engine] is not set. "
        "Set it to the connection; it is kept out of files on purpose"
    )


@pytest.mark.parametrize(
    ("text", "postgres", "spark"),
    [
        ("team = 'It''s'", "\"team\" = 'It''s'", "`team` = decode(unhex('49742773'), 'UTF-8')"),
        ("team = 'a\\b'", "\"team\" = 'a\\b'", "`team` = decode(unhex('615c62'), 'UTF-8')"),
        (
            "offered_at >= '2026-01-01'",
            "\"offered_at\" >= CAST('2026-01-01 00:00:00+00:00' AS timestamptz)",
            "`offered_at` >= CAST('2026-01-01 00:00:00+00:00' AS TIMESTAMP_LTZ)",
        ),
        ("local_date = '2026-01-01'", "\"local_date\" = DATE '2026-01-01'", "`local_date` = DATE '2026-01-01'"),
        ("escalated is true", '"escalated" IS TRUE', "`escalated` IS TRUE"),
    ],
)
def test_an_expression_is_written_for_each_engine(text, postgres, spark):
    """Names and texts as each engine quotes them, and times whatever the zone of its session."""
    read = parse(text, CONTACTS)
    assert (read.written(dialects.POSTGRESQL), read.written(dialects.SPARK)) == (postgres, spark)


@pytest.fixture(scope="module")
def embedded():
    """DuckDB in this process."""
    with connect() as connection:
        yield {1: warehouse.Embedded(connection)}


EVERYWHERE = ["embedded", *ENGINES]
FIRST, LAST = date(2000, 1, 1), date(2040, 12, 31)


@pytest.mark.parametrize("engine", EVERYWHERE, indirect=True)
def test_every_day_of_forty_years_lies_in_the_period_of_the_calendar(engine):
    """30 December, leap days, weeks of two years: all days from 2000 to 2040, in every kind of period."""
    store, length = engine[1], (LAST - FIRST).days + 1
    write = store.dialect
    numbers = [write.rows([name], [[str(n)] for n in range(125)], ["integer"]) for name in "ab"]
    day = write.later(write.day(FIRST), "a * 125 + b")
    kinds = [f"{write.period(kind, 'day')} AS {kind}s" for kind in KINDS]
    told = store.run(
        f"SELECT day, {', '.join(kinds)} FROM (SELECT {day} AS day FROM {numbers[0]} x CROSS JOIN {numbers[1]} y) d "
        f"WHERE day <= {write.day(LAST)} ORDER BY day"
    ).to_pylist()
    assert len(told) == length
    for row in told:
        assert {kind: row[f"{kind}s"] for kind in KINDS} == {
            kind: Period.containing(row["day"], kind).start for kind in KINDS
        }


@pytest.mark.parametrize("engine", EVERYWHERE, indirect=True)
@pytest.mark.parametrize("zone", ["Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"])
def test_the_local_day_and_hour_are_those_of_the_zone_at_every_clock_change_of_forty_years(engine, zone):
    """A second before each change, at it, an hour after it, and about midnight of 30 and 31 December."""
    store, info = engine[1], ZoneInfo(zone)
    write = store.dialect
    moments = {
        at.replace(tzinfo=UTC) + timedelta(seconds=step)
        for change in clock_changes(zone)[1]
        if FIRST <= (at := change.instant).date() <= LAST
        for step in (-1, 0, 3600)
    }
    moments |= {
        datetime(year, 12, 30, tzinfo=info).astimezone(UTC) + timedelta(days=day, seconds=step)
        for year in range(2000, 2041)
        for day in (0, 1, 2)
        for step in (-1, 0)
    }
    assert len(moments) > 240
    listed = [[write.text(f"{at:%Y-%m-%d %H:%M:%S}+00:00")] for at in sorted(moments)]
    local = write.local("moment", zone)
    given = f"SELECT CAST(told AS {write.types['instant']}) AS moment, told FROM"
    given = f"({given} {write.rows(['told'], listed, ['text'])} g) m"
    second = write.second_of_day(local)
    told = store.run(f"SELECT CAST({local} AS DATE) AS day, {second} AS second FROM {given} ORDER BY told").to_pylist()
    for at, row in zip(sorted(moments), told, strict=True):
        here = at.astimezone(info)
        assert (row["day"], int(row["second"])) == (here.date(), here.hour * 3600 + here.minute * 60 + here.second)
