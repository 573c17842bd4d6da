"""`ccanalysis sources`: what is known, what a file is and why, what is wrong with it, and what to write."""

from __future__ import annotations

import pandas as pd
import pytest

from ccanalysis import cli, vendors
from ccanalysis.errors import SettingsError
from ccanalysis.sources import stage
from ccanalysis.sources.trying import FILL_IN, try_file
from ccanalysis.workspace import Workspace

from . import vendor_exports as made

CENTRE = '[centre]\nname = "Test"\ntime_zone = "Europe/London"\n'
ALWAYS = """
[[sources]]
name = "always"
table = "contacts"
files = "always.csv"
[sources.columns]
contact_id = "a"
offered_at = { column = "b", format = "iso" }
channel = { value = "voice" }
outcome = { value = "answered" }
"""


@pytest.fixture
def home(tmp_path):
    """A workspace with one source."""
    (tmp_path / "ccanalysis.toml").write_text(CENTRE + ALWAYS, encoding="utf-8")
    (tmp_path / "always.csv").write_text("a,b\n1,2026-11-09T00:00:00Z\n", encoding="utf-8")
    (tmp_path / "exports").mkdir()
    return tmp_path


def put(home, name, content):
    """Write an export."""
    path = home / "exports" / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_list_names_every_format_with_its_facts(capsys):
    """Tables, file, units, clock, key and delivery of each."""
    assert cli.main(["sources"]) == 0
    said = capsys.readouterr().out
    for form in vendors.FORMATS.values():
        assert f"{form.name}: {form.title}\n  fills      {', '.join(form.tables)}\n" in said
        assert form.units in said and form.delivery in said


# What each format's small export leaves open: asked for in the block, or codes that are the centre's own.
OPEN = {
    "nice_cxone.call_detail": 'zone = "FILL IN"  # CXone writes local times and not of which zone',
    "zendesk.ticket_metrics": 'channel = { value = "FILL IN" }  # the export does not say it; one of voice, chat',
}
ANSWERS = {"zone": "America/Denver", "channel": "email"}


@pytest.mark.parametrize("name", made.FILES)
def test_a_block_that_was_written_reads_the_file(home, capsys, name):
    """From an unknown file to staged tables: try it, write the block, fill in what it asks for, read."""
    file, content = made.FILES[name]
    path = put(home, file, content())
    code = cli.main(["sources", "try", str(path), "--workspace", str(home), "--write"])
    said = capsys.readouterr().out
    form = vendors.FORMATS[name]
    assert said.startswith(f"{file}: {form.title} ({name})\n  because its ")
    assert OPEN.get(name, "") in said
    expected = 1 if name in OPEN or name == "asterisk.queue_log" else 0  # a call that a restart lost, a pause reason
    assert code == expected
    settings = (home / "ccanalysis.toml").read_text(encoding="utf-8")
    written = settings.splitlines()
    for number, line in enumerate(written):
        if FILL_IN in line:
            written[number] = line.replace(FILL_IN, ANSWERS[line.partition(" ")[0]])
    (home / "ccanalysis.toml").write_text("\n".join(written), encoding="utf-8")
    staged = stage(Workspace.open(home))
    read = staged.intake.groupby("table")["kept"].sum()
    mine = [table for table in form.tables if f'table = "{table}"\nvendor' in settings]
    assert mine and all(read[table] > (1 if table == "contacts" else 0) for table in mine)


def test_problems_are_shown_by_row_and_reason_without_a_value(home, capsys):
    """Counts, the first faults, and no word of what the cells say."""
    content = "\n".join([made.CXONE_HEADER, made.cxone("1"), made.cxone("2", media="Carrier pigeon"), ""])
    path = put(home, "call_detail.csv", content)
    assert cli.main(["sources", "try", str(path), "--workspace", str(home)]) == 1
    said = capsys.readouterr().out
    assert "  read 2, kept 1, quarantined 1, duplicates 0, set aside 0\n" in said
    assert (
        "  first problems of 1:\n"
        "    row 3: channel has a text that 'codes' does not list (export column 'Media_Name')\n"
    ) in said
    for secret in ("Imogen", "01632", "pigeon", "Leeds"):
        assert secret not in said


def test_a_table_that_a_file_does_not_fill_is_left_out_of_the_block(home):
    """Conversations without evaluations give contacts and segments."""
    trial = try_file(put(home, "c.jsonl", made.lines([made.conversation()])), home)
    assert [one.table for one in trial.tables if one.error] == ["evaluations"]
    assert "evaluations" not in trial.settings
    assert trial.settings.count("[[sources]]") == 2


def test_a_table_of_no_known_format_is_shown_with_positions_and_a_block_to_fill_in(home, capsys):
    """What cannot be known is asked for, with what the file says about it."""
    content = "Call;Start;Wait\n1;05/11/2026 08:00;12\n2;13/11/2026 09:00;7\n".encode("cp1252")
    path = put(home, "calls_2026-46.csv", content)
    assert cli.main(["sources", "try", str(path), "--workspace", str(home)]) == 1
    captured = capsys.readouterr()
    assert captured.out == (
        "calls_2026-46.csv: not an export that ccanalysis knows; a text table with 3 columns\n"
        "  because its first line has 3 fields between ';', which are no vendor's\n"
        "\n"
        "    1  Call  (whole numbers)\n"
        "    2  Start  (times written NN/NN/NNNN NN:NN; the first number goes above 12, so it is the day)\n"
        "    3  Wait  (whole numbers)\n"
        "\n"
        "for ccanalysis.toml:\n"
        "\n"
        "[[sources]]\n"
        'name = "calls contacts"\n'
        'table = "contacts"\n'
        'files = "exports/calls_2026-46.csv"  # or exports/calls_*.csv for every file of this kind\n'
        'delimiter = ";"\n'
        "zone = \"FILL IN\"  # 'Start' holds times written NN/NN/NNNN NN:NN; the first number goes above 12, so it is "
        "the day, without a zone\n"
        "[sources.columns]\n"
        "# wait_s: 'Wait': its median is 9.5, and nothing in the export says its unit\n"
        'contact_id = "Call"\n'
        'offered_at = { column = "Start", format = "%d/%m/%Y %H:%M" }\n'
        'channel = { value = "FILL IN" }  # or column and codes; one of voice, chat, email, social, sms, video, post\n'
        'outcome = { column = "FILL IN", codes = { } }  # each text of the export = one of answered, abandoned, '
        "left_menu, callback_promised, flowed_out, voicemail, refused, void\n"
    )
    assert captured.err == (
        "ccanalysis: what the file does not say is marked 'FILL IN'; put it in before the next run\n"
    )


def test_an_encoding_is_asked_for_with_the_row_that_shows_it(home):
    """It is not guessed."""
    trial = try_file(put(home, "c.csv", "Call,Team\n1,Leeds\n2,Zürich\n".encode("cp1252")), home)
    assert 'encoding = "FILL IN"  # row 3 is not UTF-8; perhaps cp1252\n' in trial.settings


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "json"])
def test_workbooks_parquet_and_json_are_shown_too(home, kind):
    """Whatever their name says, by how they begin."""
    path = home / "exports" / "calls.dat"
    frame = pd.DataFrame({"Call": ["a", "b"], "Start": ["2026-11-09T08:00:00Z"] * 2})
    if kind == "xlsx":
        frame.to_excel(path.with_suffix(".xlsx"), index=False)
        path.with_suffix(".xlsx").rename(path)
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    trial = try_file(path, home)
    assert [(position, name) for position, name, _ in trial.header] == [(1, "Call"), (2, "Start")]
    assert trial.header[1][2] == "times written NNNN-NN-NNTNN:NN:NNZ with offset"
    assert f'format = "{"excel" if kind == "xlsx" else kind}"' in trial.settings
    assert "zone" not in trial.settings


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("none.csv", None, 3, "there is no file 'none.csv'. Give the path of one export"),
        ("e.csv", "", 3, "e.csv: the file is empty (0 bytes). Export it again"),
        (
            "n.txt",
            "just words\n",
            3,
            "n.txt: the file is no table: neither CSV with a header, nor a workbook, Parquet or JSON",
        ),
        (
            "h.csv",
            "17,Rosalind,r@example.test\n",
            3,
            "h.csv, row 1: its first row is no header: what stands in column 1",
        ),
    ],
)
def test_what_cannot_be_tried_says_why(home, capsys, name, content, code, message):
    """And shows nothing of what is inside."""
    path = home / "exports" / name
    if content is not None:
        put(home, name, content)
    assert cli.main(["sources", "try", str(path), "--workspace", str(home)]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(f"ccanalysis: {message}")
    assert "Rosalind" not in captured.err + captured.out


def test_a_block_is_not_written_twice(home, capsys):
    """A name that is there is never overwritten, and the settings stay as they are."""
    path = put(home, "ctr.jsonl", made.amazon_file())
    arguments = ["sources", "try", str(path), "--workspace", str(home), "--write"]
    assert cli.main(arguments) == 0
    before = (home / "ccanalysis.toml").read_text(encoding="utf-8")
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err.endswith(
        "ccanalysis: ccanalysis.toml: there is a source 'ctr contacts' already. Rename or remove it, or copy the block "
        "by hand\n"
    )
    assert (home / "ccanalysis.toml").read_text(encoding="utf-8") == before
    assert before.startswith(CENTRE)


def test_what_is_left_to_fill_in_stops_the_next_run_by_line(home):
    """A block that nobody completed is not read with a guess."""
    path = put(home, "call_detail.csv", made.cxone_file())
    cli.main(["sources", "try", str(path), "--workspace", str(home), "--write"])
    with pytest.raises(SettingsError, match=r"ccanalysis.toml:\d+: there is no time zone 'FILL IN'"):
        Workspace.open(home)


def test_a_long_file_is_tried_by_its_beginning(home, monkeypatch):
    """Whole lines only, and it says so."""
    from ccanalysis.sources import trying

    monkeypatch.setattr(trying, "TRIED_BYTES", 20_000)
    content = made.lines([made.amazon(f"c{n}") for n in range(200)])
    trial = try_file(put(home, "ctr.jsonl", content), home)
    assert trial.part
    assert 0 < trial.tables[0].counts["kept"] < 200
    assert trial.tables[0].faults == 0


def test_nothing_is_left_behind(home, tmp_path_factory, monkeypatch):
    """The copy that was tried is gone, and the workspace has no cache of it."""
    import tempfile

    place = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    try_file(put(home, "ctr.jsonl", made.amazon_file()), home)
    assert [path for path in place.rglob("*") if path.is_file()] == []
    assert not (home / ".ccanalysis").exists()
