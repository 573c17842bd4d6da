"""The workspace's settings: read once, every mistake named by line with what to write instead."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

import ccanalysis
from ccanalysis.contracts import TABLES
from ccanalysis.errors import NoInputError, SettingsError
from ccanalysis.workspace import DEFAULT_REPORTS, ReportPlan, Workspace

GOOD = """\
[centre]
name = "Northgate Services"
time_zone = "Europe/London"

[[sources]]
name = "calls"
table = "contacts"
files = "data/*.csv"
[sources.columns]
contact_id = "Id"
offered_at = { column = "Start", format = "iso" }
channel = { value = "voice" }
outcome = { column = "Result", codes = { A = "answered" } }
"""


@pytest.fixture
def opened(tmp_path):
    """Write settings and open the workspace."""

    def run(text):
        (tmp_path / "ccanalysis.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return Workspace.open(tmp_path)

    return run


def test_a_workspace_is_read_with_its_defaults(opened, tmp_path):
    """Name and zone are all that a centre must say; the rest has a usual value."""
    workspace = opened(GOOD)
    assert (workspace.centre.name, workspace.centre.zone.key) == ("Northgate Services", "Europe/London")
    assert (workspace.centre.currency, workspace.centre.holidays, workspace.centre.opening) == ("GBP", "", {})
    assert (workspace.frequency, workspace.baseline_periods, workspace.reports) == ("week", 26, DEFAULT_REPORTS)
    assert (workspace.unit_names, workspace.paths) == ({}, {})
    source = workspace.sources[0]
    assert (source.name, source.table, source.format, source.line) == ("calls", "contacts", "csv", 5)
    assert source.columns["offered_at"].columns == ("Start",)
    assert source.columns["outcome"].codes == {"A": "answered"}
    assert workspace.register_path == tmp_path / "kpis.yml"
    assert workspace.reports_path == tmp_path / "reports"
    assert workspace.cache_path == tmp_path / ".ccanalysis"


def test_rules_and_notebooks_are_the_general_ones_until_the_workspace_has_its_own(opened, tmp_path):
    """A new workspace needs neither; a folder of its own is used alone."""
    workspace = opened(GOOD)
    checkout = Path(ccanalysis.__file__).parents[2]
    assert (workspace.suites_path, workspace.notebooks_path) == (checkout / "expectations", checkout / "notebooks")
    (tmp_path / "expectations").mkdir()
    (tmp_path / "notebooks").mkdir()
    assert (workspace.suites_path, workspace.notebooks_path) == (tmp_path / "expectations", tmp_path / "notebooks")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("XX", "ccanalysis.toml:4: there is no calendar of 'XX'. Write a nation, as GB, or GB-ENG"),
        ("GB-ENX", "ccanalysis.toml:4: GB has no region 'ENX'. Did you mean 'ENG'?"),
        ("JP-13", "ccanalysis.toml:4: JP has no region '13'. It has no regions: write JP"),
    ],
)
def test_a_calendar_that_nobody_keeps_is_refused(opened, given, says):
    """Bank holidays come from the calendars of nations and their parts."""
    with pytest.raises(SettingsError) as refused:
        opened(GOOD.replace('"Europe/London"\n', f'"Europe/London"\nholidays = "{given}"\n'))
    assert str(refused.value) == says


def test_a_byte_order_mark_changes_nothing(opened):
    """Some editors of Windows write one."""
    assert opened(b"\xef\xbb\xbf" + GOOD.encode()).centre.name == "Northgate Services"


def test_opening_hours_are_read_by_channel_and_day(opened):
    """A day of its own goes before the weekdays, wherever it stands; a whole day ends at midnight."""
    hours = '[centre.opening_hours.voice]\nwed = "closed"\nweekdays = "08:00-20:00"\nsun = "00:00-24:00"\n'
    opening = opened(GOOD.replace("[[sources]]", hours + "[[sources]]")).centre.opening["voice"]
    assert opening["mon"] == opening["fri"] == (time(8), time(20))
    assert opening["wed"] is None
    assert opening["sun"] == (time(0), time.max)
    assert "sat" not in opening


def test_everything_that_can_be_set_is_read(opened):
    """Run, unit names, reports, paths, own columns and every way to fill a column."""
    workspace = opened(
        GOOD
        + """\
wait_s = { seconds_between = ["offered_at", "answered_at"] }
answered_at = { column = ["Day", "Time"], format = "%d/%m/%Y %H:%M", missing = ["-", "n/a"] }
escalated = { column = "Esc", true = "Y", false = ["N", ""] }
queue = { cases = [{ where = { Skill = ["1", "2"] }, value = "Billing" }] }
n_notes = { product = ["transfers", "menu_s"] }
transfers = "Transfers"
menu_s = { column = "Menu", unit = "ms", scale = 0.5 }
[sources.ignore_where]
Id = "Total"

[tables.contacts.columns.n_notes]
type = "integer"
about = "notes taken"

[run]
frequency = "month"
baseline_periods = 24

[unit_names]
team = "provider"

[[reports]]
notebook = "03-team-report"
audience = "team"
each = "team"

[paths.archive]
default = "../archive"
"""
    )
    columns = workspace.sources[0].columns
    assert columns["wait_s"].seconds_between == ("offered_at", "answered_at")
    assert (columns["answered_at"].columns, columns["answered_at"].missing) == (("Day", "Time"), ("-", "n/a"))
    assert (columns["escalated"].true, columns["escalated"].false) == (("Y",), ("N", ""))
    assert columns["queue"].cases == (({"Skill": ("1", "2")}, "Billing"),)
    assert columns["n_notes"].product == ("transfers", "menu_s")
    assert (columns["menu_s"].unit, columns["menu_s"].scale) == ("ms", 0.5)
    assert workspace.sources[0].ignore_where == {"Id": ("Total",)}
    assert workspace.tables["contacts"].column("n_notes").about == "notes taken"
    assert "n_notes" not in TABLES["contacts"]
    assert (workspace.frequency, workspace.baseline_periods, workspace.unit_names) == (
        "month",
        24,
        {"team": "provider"},
    )
    assert workspace.reports == (ReportPlan(notebook="03-team-report", audience="team", each="team"),)
    assert workspace.paths["archive"].name == "archive"


def changed(old, new):
    """Return the good settings with one passage replaced."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


LANGUAGE_OF_DAYS = "Known are: fri, holiday, mon, sat, sun, thu, tue, wed, weekdays"
CENTRE, SOURCE = GOOD.split("\n\n")
NEEDS = "needs exactly one of column, value, cases, seconds_between and product"
WRITE_FIELD = 'Write for example wait_s = { column = "Queue time", unit = "s" }'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # the file
        (b"\xff\xfe", "ccanalysis.toml: it is not UTF-8. Save it as UTF-8"),
        ("[centre]\nname = Northgate\n", "ccanalysis.toml:2: it is not valid TOML: invalid value. "
         "Texts stand in quotation marks, and each name is given once"),
        ('[centre]\nname = "A"\nname = "B"\n', "ccanalysis.toml:3: it is not valid TOML: cannot overwrite a value. "
         "Texts stand in quotation marks, and each name is given once"),
        ('[centre]\nname = "A"\n[centre]\n', "ccanalysis.toml:3: it is not valid TOML: cannot declare ('centre',) "
         "twice. Texts stand in quotation marks, and each name is given once"),
        ('[centre]\nname = "A', "ccanalysis.toml:2: it is not valid TOML: unterminated string. "
         "Texts stand in quotation marks, and each name is given once"),
        ("", "ccanalysis.toml:1: [centre] has no 'name'. Add a line beginning name ="),
        (changed("[centre]", "[center]"),
         "ccanalysis.toml:1: [top level] has no setting 'center'. Did you mean 'centre'?"),
        (GOOD + "[rnu]\n", "ccanalysis.toml:14: [top level] has no setting 'rnu'. Did you mean 'run'?"),
        # the centre
        (changed('name = "Northgate Services"\n', ""),
         "ccanalysis.toml:1: [centre] has no 'name'. Add a line beginning name ="),
        (changed('"Northgate Services"', "5"), "ccanalysis.toml:2: 'name' in [centre] must be text"),
        (changed("Europe/London", "Europe/Londn"), "ccanalysis.toml:3: there is no time zone 'Europe/Londn'. "
         "Give an IANA name such as Europe/London"),
        (changed("Europe/London", "../etc/passwd"), "ccanalysis.toml:3: there is no time zone '../etc/passwd'. "
         "Give an IANA name such as Europe/London"),
        (changed("Europe/London", "Europe"), "ccanalysis.toml:3: there is no time zone 'Europe'. "
         "Give an IANA name such as Europe/London"),
        (changed("[[sources]]", 'curency = "EUR"\n[[sources]]'),
         "ccanalysis.toml:5: [centre] has no setting 'curency'. Did you mean 'currency'?"),
        *((changed("[[sources]]", f'[centre.opening_hours.voice]\nmon = "{hours}"\n[[sources]]'),
           f"ccanalysis.toml:6: opening hours {hours!r} cannot be read. Write \"08:00-20:00\" or \"closed\"")
          for hours in ("8-20", "25:00-26:00", "08:00-20:61", "shut", "24:00-24:00")),
        (changed("[[sources]]", '[centre.opening_hours.voice]\nmon = "20:00-08:00"\n[[sources]]'),
         "ccanalysis.toml:6: opening hours '20:00-08:00' end before they begin. Write \"00:00-24:00\" for a whole day"),
        (changed("[[sources]]", '[centre.opening_hours.voice]\nmonday = "08:00-20:00"\n[[sources]]'),
         "ccanalysis.toml:6: there is no day 'monday'. Did you mean 'mon'?"),
        (changed("[[sources]]", '[centre.opening_hours.voice]\nx = "08:00-20:00"\n[[sources]]'),
         "ccanalysis.toml:6: there is no day 'x'. " + LANGUAGE_OF_DAYS),
        (changed("[[sources]]", '[centre.opening_hours.voce]\nmon = "closed"\n[[sources]]'),
         "ccanalysis.toml:5: there is no channel 'voce'. Did you mean 'voice'?"),
        # run, names, reports, paths
        (GOOD + '[run]\nfrequency = "weekly"\n', "ccanalysis.toml:15: 'frequency' is 'weekly', which is not one of "
         "day, week, month, quarter, year"),
        (GOOD + '[run]\nbaseline_periods = "26"\n',
         "ccanalysis.toml:15: 'baseline_periods' in [run] must be a whole number"),
        (GOOD + "[run]\nbaseline_periods = true\n",
         "ccanalysis.toml:15: 'baseline_periods' in [run] must be a whole number"),
        (GOOD + "[run]\nbaseline_periods = 0\n",
         "ccanalysis.toml:15: 'baseline_periods' must be 1 to 1000. 26 weeks are half a year"),
        (GOOD + "[run]\nbaseline = 5\n",
         "ccanalysis.toml:15: [run] has no setting 'baseline'. Did you mean 'baseline_periods'?"),
        (GOOD + '[unit_names]\ntaem = "crew"\n', "ccanalysis.toml:15: there is no level 'taem'. Did you mean 'team'?"),
        (GOOD + '[unit_names]\nteam = " "\n',
         "ccanalysis.toml:15: 'team' in [unit_names] is empty. Give the word, or take the line out"),
        (GOOD + '[[reports]]\nnotebook = "a"\naudience = "boss"\neach = "centre"\n',
         "ccanalysis.toml:16: 'audience' is 'boss', which is not one of "
         "analyst, centre, quality_lead, team, line_manager"),
        (GOOD + '[[reports]]\nnotebook = "a"\naudience = "team"\neach = "centre"\n',
         "ccanalysis.toml:17: a report for the audience 'team' is made for each 'team'. Write each = \"team\""),
        (GOOD + '[[reports]]\nnotebook = "a"\naudience = "analyst"\neach = "team"\n',
         "ccanalysis.toml:17: a report for the audience 'analyst' is made for each 'centre'. Write each = \"centre\""),
        (GOOD + '[[reports]]\nnotebook = "../a.ipynb"\naudience = "centre"\neach = "centre"\n',
         "ccanalysis.toml:15: 'notebook' must be a file name without ending or folder. "
         "Write for example 03-team-report"),
        (GOOD + '[[reports]]\nnotebook = "a"\naudience = "centre"\neach = "centre"\n[[reports]]\nnotebook = 5\n',
         "ccanalysis.toml:19: 'notebook' in [reports] must be text"),
        (GOOD + "[reports]\n", "ccanalysis.toml:14: 'reports' in [top level] must be a list"),
        ("sources = [5]\n" + CENTRE,
         "ccanalysis.toml:1: 'sources' in [top level] must be a list of tables. Write [[sources]] for each"),
        (GOOD + '[paths.archive]\nenv = "X"\n',
         "ccanalysis.toml:14: [paths.archive] has no 'default'. Add a line beginning default ="),
        (GOOD + '[paths.archive]\ndefault = "a"\nvar = "X"\n',
         "ccanalysis.toml:16: [paths.archive] has no setting 'var'. Known are: default, env"),
        # tables
        (GOOD + '[tables.contact.columns.x]\ntype = "integer"\n',
         "ccanalysis.toml:14: there is no contract table 'contact'. Did you mean 'contacts'?"),
        (GOOD + '[tables.surveys.columns.x]\ntype = "integer"\nabout = "a"\n',
         "ccanalysis.toml:14: table 'surveys' takes no further columns. "
         "Columns can be added to 'contacts' and 'intervals'; keep these out of the mapping"),
        (GOOD + '[tables.intervals.columns.n_offered]\ntype = "integer"\nabout = "a"\n',
         "ccanalysis.toml:14: table 'intervals' already has a column 'n_offered'. Choose another name"),
        (GOOD + '[tables.intervals.columns.Calls]\ntype = "integer"\nabout = "a"\n',
         "ccanalysis.toml:14: the column name 'Calls' is not allowed. Use lower-case letters, digits and underscores"),
        (GOOD + '[tables.intervals.columns.n_x]\ntype = "date"\nabout = "a"\n',
         "ccanalysis.toml:15: 'type' is 'date', which is not one of integer, number, text"),
        (GOOD + '[tables.intervals.columns.n_x]\ntype = "integer"\n',
         "ccanalysis.toml:14: [tables.intervals.columns.n_x] has no 'about'. Add a line beginning about ="),
        # sources
        (CENTRE,
         "ccanalysis.toml: no source fills 'contacts' or 'intervals'. Add a [[sources]] with table = \"contacts\""),
        (changed('name = "calls"\n', ""),
         "ccanalysis.toml:5: [sources] has no 'name'. Add a line beginning name ="),
        (GOOD + SOURCE, "ccanalysis.toml:14: two sources are named 'calls'. Give each a name of its own"),
        (changed('"contacts"', '"contact"'),
         "ccanalysis.toml:7: there is no contract table 'contact'. Did you mean 'contacts'?"),
        *((changed("data/*.csv", files), "ccanalysis.toml:8: 'files' must lie below the workspace. "
           "Declare other places as [paths.NAME] and write {NAME}/...")
          for files in ("/data/*.csv", "../data/*.csv", "data/../../*.csv")),
        (changed("data/*.csv", "{archive}/*.csv"),
         "ccanalysis.toml:8: no path 'archive' is declared. Add a section [paths.archive]"),
        (changed("data/*.csv", "{archive}/../*.csv") + '[paths.archive]\ndefault = "a"\n',
         "ccanalysis.toml:8: 'files' must lie below the workspace. "
         "Declare other places as [paths.NAME] and write {NAME}/..."),
        *((changed("data/*.csv", files) + '[paths.archive]\ndefault = "a"\n',
           "ccanalysis.toml:8: 'files' names no file. Write for example files = \"data/contacts_*.csv\"")
          for files in ("", "{archive}")),
        (changed('files = "data/*.csv"', 'files = "data/*.csv"\nformat = "tsv"'),
         "ccanalysis.toml:9: 'format' is 'tsv', which is not one of csv, excel, parquet, json, postgresql"),
        (changed('files = "data/*.csv"', 'files = "data/*.csv"\ndecimal = ";"'),
         "ccanalysis.toml:9: 'decimal' is ';', which is not one of ., ,"),
        (changed('files = "data/*.csv"', 'files = "data/*.csv"\nzone = "UCT+5"'),
         "ccanalysis.toml:9: there is no time zone 'UCT+5'. Give an IANA name such as Europe/London"),
        (changed('files = "data/*.csv"', 'files = "data/*.csv"\nencodng = "cp1252"'),
         "ccanalysis.toml:9: [sources] has no setting 'encodng'. Did you mean 'encoding'?"),
        (GOOD + "[sources.ignore_where]\nId = 5\n",
         "ccanalysis.toml:15: 'Id' in [sources.ignore_where] must be text or a list"),
        (GOOD + '[sources.ignore_where]\nId = ["a", 5]\n',
         "ccanalysis.toml:15: 'Id' must be a text or a list of texts"),
        # columns
        (changed('contact_id = "Id"\n', ""), "ccanalysis.toml:9: source 'calls' does not say where 'contact_id' comes "
         "from (identifier of the contact). Add a line beginning contact_id ="),
        (GOOD + 'wait = "Wait"\n', "ccanalysis.toml:14: table 'contacts' has no column 'wait'. Did you mean 'wait_s'?"),
        (GOOD + 'local_hour = "Hour"\n', "ccanalysis.toml:14: table 'contacts' has no column 'local_hour'. Known are: "
         + ", ".join(sorted(column.name for column in TABLES["contacts"].fillable))),
        (GOOD + "queue = 5\n", "ccanalysis.toml:14: 'queue' in [sources.columns] must be text or a table"),
        (GOOD + 'queue = { colum = "Q" }\n',
         "ccanalysis.toml:14: [sources.columns.queue] has no setting 'colum'. Did you mean 'column'?"),
        (GOOD + "queue = {}\n", f"ccanalysis.toml:14: 'queue' {NEEDS}. {WRITE_FIELD}"),
        (GOOD + 'queue = { column = "Q", value = "a" }\n', f"ccanalysis.toml:14: 'queue' {NEEDS}. {WRITE_FIELD}"),
        (GOOD + "queue = { column = 5 }\n",
         "ccanalysis.toml:14: 'column' in [sources.columns.queue] must be text or a list"),
        (changed(', format = "iso"', ""), "ccanalysis.toml:11: 'offered_at' does not say how its time is written. "
         'Add a format such as "%d/%m/%Y %H:%M:%S", "iso", "epoch_s", "epoch_ms" or "excel"'),
        (GOOD + 'wait_s = "Wait"\n', "ccanalysis.toml:14: 'wait_s' does not say its unit. "
         "Add unit = one of s, ms, min, h, day, hh:mm:ss"),
        (GOOD + 'wait_s = { column = "Wait", unit = "sec" }\n', "ccanalysis.toml:14: 'unit' is 'sec', which is not one "
         "of s, ms, min, h, day, hh:mm:ss"),
        (GOOD + 'wait_s = { seconds_between = ["offered_at"] }\n',
         "ccanalysis.toml:14: 'seconds_between' takes two columns, the earlier and the later"),
        *((changed(old, new), f"ccanalysis.toml:{line}: {value!r} is not an allowed value of {key!r}. "
           f"Allowed are: {', '.join(TABLES['contacts'].column(key).values)}")
          for old, new, line, value, key in (
              ('{ value = "voice" }', '{ value = "phone" }', 12, "phone", "channel"),
              ('A = "answered"', 'A = "anwsered"', 13, "anwsered", "outcome"),
              ('{ value = "voice" }', '{ cases = [{ where = { X = "1" }, value = "phone" }] }', 12, "phone",
               "channel"))),
        (GOOD + "queue = { cases = [5] }\n", "ccanalysis.toml:14: 'cases' must be a list of tables. "
         'Write { where = { Skill = "1" }, value = "a" }'),
        (GOOD + 'queue = { cases = [{ value = 5 }] }\n',
         "ccanalysis.toml:14: 'value' in [sources.columns.queue] must be text or true or false"),
        (GOOD + "[sources.columns.queue]\ncolumn = 'Q'\n\nunit = 'sec'\n",
         "ccanalysis.toml:17: 'unit' is 'sec', which is not one of s, ms, min, h, day, hh:mm:ss"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_followed_are_refused_by_line(opened, text, message):
    """One line: the file and line, what is wrong, what to write."""
    with pytest.raises(SettingsError) as refused:
        opened(text)
    assert str(refused.value) == message
    assert refused.value.exit_code == 2


def test_the_line_is_that_of_the_right_source(opened):
    """Of several sources with the same settings the wrong one is named."""
    second = SOURCE.replace('"calls"', '"chats"').replace('"Id"', "5")
    with pytest.raises(SettingsError) as refused:
        opened(GOOD + second)
    assert str(refused.value) == "ccanalysis.toml:19: 'contact_id' in [sources.columns] must be text or a table"


def test_a_table_of_a_later_source_is_not_looked_for_in_an_earlier_one(opened):
    """The first source has the heading, the second lacks it; the second's own line is said."""
    second = '[[sources]]\nname = "chats"\ntable = "contacts"\nfiles = "x.csv"\n'
    with pytest.raises(SettingsError) as refused:
        opened(GOOD + second)
    assert str(refused.value).startswith(
        "ccanalysis.toml:14: source 'chats' does not say where 'contact_id' comes from"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "there is no folder 'nowhere'. Give the folder of a workspace with --workspace"),
        (".", "the folder {name!r} has no ccanalysis.toml. Give the folder of a workspace with --workspace"),
    ],
)
def test_a_folder_that_is_no_workspace_is_named(tmp_path, name, message):
    """Its name alone, not the path of the machine."""
    with pytest.raises(SettingsError) as refused:
        Workspace.open(tmp_path / name)
    assert str(refused.value) == message.format(name=tmp_path.name)


def test_files_are_listed_in_name_order_and_folders_are_none(opened, tmp_path):
    """A run reads the same files in the same order everywhere."""
    (tmp_path / "data" / "c.csv").mkdir(parents=True)
    for name in ("b.csv", "a.csv", "a.txt"):
        (tmp_path / "data" / name).touch()
    workspace = opened(GOOD)
    assert [path.name for path in workspace.files_of(workspace.sources[0])] == ["a.csv", "b.csv"]


def test_no_file_and_no_folder_are_no_input(opened, tmp_path, monkeypatch):
    """The source, its pattern and its line are named; a declared path names its variable."""
    workspace = opened(GOOD)
    with pytest.raises(NoInputError) as refused:
        workspace.files_of(workspace.sources[0])
    assert str(refused.value) == (
        "ccanalysis.toml:5: source 'calls' matches no file with 'data/*.csv'. Put the export there, or correct 'files'"
    )
    assert refused.value.exit_code == 3
    text = GOOD.replace("data/*.csv", "{archive}/*.csv") + '[paths.archive]\nenv = "CENTRE_ARCHIVE"\ndefault = "gone"\n'
    workspace = opened(text)
    with pytest.raises(NoInputError) as refused:
        workspace.files_of(workspace.sources[0])
    assert str(refused.value) == (
        "ccanalysis.toml:5: source 'calls' needs the folder declared as path 'archive', and it is not there. "
        "Put it there, or name its place in the environment variable CENTRE_ARCHIVE"
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").touch()
    monkeypatch.setenv("CENTRE_ARCHIVE", str(tmp_path / "elsewhere"))
    workspace = opened(text)
    assert [path.name for path in workspace.files_of(workspace.sources[0])] == ["a.csv"]
    monkeypatch.setenv("CENTRE_ARCHIVE", "")
    assert opened(text).paths["archive"] == tmp_path / "gone"


@pytest.mark.parametrize("name", [".", "examples/anonymous-bank", "examples/nhs111", "examples/vancouver-311"])
def test_the_workspaces_of_the_repository_open(root, name):
    """Every source says where its required columns come from."""
    if not (root / name / "ccanalysis.toml").is_file():
        pytest.skip(f"{name} is not in this checkout")
    workspace = Workspace.open(root / name)
    lines = Path(root / name / "ccanalysis.toml").read_text(encoding="utf-8").splitlines()
    assert all(lines[source.line - 1] == "[[sources]]" for source in workspace.sources)
