"""Large tables are staged week by week, and what is no longer used is cleared away."""

from __future__ import annotations

import pytest

from ccanalysis import partitions, results
from ccanalysis.sources import KEPT

from .conftest import call, rows


@pytest.fixture
def large(desk, monkeypatch):
    """A workspace whose tables are large from two rows on; a file per week."""
    monkeypatch.setattr(partitions, "PARTITION_FROM", 2)
    desk.calls(call("c1"), call("c2", "10/11/2026 09:00:00"), name="w46.csv")
    desk.calls(call("c3", "16/11/2026 00:30:00"), name="w47.csv")
    return desk


def test_a_large_table_is_a_folder_of_iso_weeks(large):
    """By the local day: half past midnight on a Monday is the new week."""
    folder = large.stage().tables["contacts"]
    weeks = partitions.read(folder).weeks
    assert [(week.path.name, week.rows) for week in weeks] == [("2026-W46.parquet", 2), ("2026-W47.parquet", 1)]
    assert {path.name for path in folder.iterdir()} == {"2026-W46.parquet", "2026-W47.parquet", "index.json"}
    assert "talk_s" in weeks[0].held and "hold_s" not in weeks[0].held


def test_a_new_file_leaves_the_weeks_before_as_they_are(large):
    """They are the very files of the staging before."""
    before = large.stage().tables["contacts"]
    large.calls(call("c4", "23/11/2026 10:00:00"), name="w48.csv")
    after = large.stage().tables["contacts"]
    assert before != after
    assert [(after / f"2026-W{n}.parquet").samefile(before / f"2026-W{n}.parquet") for n in (46, 47)] == [True, True]
    assert (after / "2026-W48.parquet").is_file()


def test_a_changed_byte_of_a_partition_is_found(large):
    """The tables are read anew then, and the damaged file is not linked."""
    path = large.stage().tables["contacts"] / "2026-W46.parquet"
    whole = sorted(rows(path, "contact_id"))
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"?")
    again = large.stage().tables["contacts"] / "2026-W46.parquet"
    assert again.read_bytes()[-4:] == b"PAR1"
    assert sorted(rows(again, "contact_id")) == whole == ["c1", "c2"]


def test_only_the_last_stagings_stay(large):
    """The one in use and the one before; what both hold lies on the disk once."""
    for number in range(4):
        large.calls(call(f"n{number}", "24/11/2026 10:00:00"), name=f"more{number}.csv")
        last = large.stage()
    home = last.folder.parent
    assert len([path for path in home.iterdir() if path.is_dir()]) == KEPT == 2
    assert last.folder in home.iterdir()
    assert (last.tables["contacts"] / "2026-W46.parquet").stat().st_nlink == 2


def test_a_run_over_partitions_gives_the_results_of_one_over_files(desk, monkeypatch, root):
    """From exports to verdicts."""
    listed = [call(f"c{n}", f"{2 + n % 14:02}/11/2026 {8 + n % 9:02}:00:00", wait=str(n % 40)) for n in range(120)]
    desk.calls(*listed)
    (desk.root / "expectations").mkdir()
    suite = (root / "expectations" / "contacts.json").read_bytes()
    (desk.root / "expectations" / "contacts.json").write_bytes(suite)
    (desk.root / "kpis.yml").write_text(REGISTER, encoding="utf-8")
    plain = results.compute(desk.open(), "2026-W46")
    monkeypatch.setattr(partitions, "PARTITION_FROM", 2)
    for folder in ("staged", "results"):
        (desk.root / ".ccanalysis" / folder).rename(desk.root / f"old-{folder}")
    parted = results.compute(desk.open(), "2026-W46")
    assert len(list((desk.root / ".ccanalysis" / "components").iterdir())) > 0
    for name in ("series", "verdicts", "drivers", "ratings"):
        assert getattr(parted, name).equals(getattr(plain, name)), name
    assert len(plain.verdicts)


REGISTER = """\
version: 1
kpis:
  - id: quick
    name: Answered quickly
    purpose: Whoever rings should reach a person.
    measure: service_level
    levels: [centre, team]
    targets: [{from: 2020-01-01, team: 0.8}]
    frequency: week
    minimum_n: 20
    owner: Head of Planning
    approval: {state: approved, by: Board, on: 2026-01-01}
    action_after_review: Look at half-hours with losses.
"""
