"""The declared mappings of examples/mappings read what they say, and quarantine what they must."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ccanalysis import cli, vendors
from ccanalysis.sources import stage
from ccanalysis.workspace import Workspace

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "mappings"
FIVE9_HEADER = (
    "CALL ID,TIMESTAMP,CAMPAIGN,CALL TYPE,AGENT,AGENT NAME,DISPOSITION,ANI,CUSTOMER NAME,DNIS,CALL TIME,"
    "BILL TIME (ROUNDED),COST,IVR TIME,QUEUE WAIT TIME,RING TIME,TALK TIME,HOLD TIME,PARK TIME,AFTER CALL WORK TIME,"
    "TRANSFERS,CONFERENCES,HOLDS,ABANDONED,RECORDINGS"
)
VICIDIAL_HEADER = (
    "closecallid,lead_id,list_id,campaign_id,call_date,start_epoch,end_epoch,length_in_sec,status,phone_number,user,"
    "queue_seconds,user_group,xfercallid,term_reason,uniqueid,queue_position,called_count"
)


def five9(call: int, agent: str, wait: str, talk: str, abandoned: str, stamp: str = "Thu, 12 Nov 2026 14:51:34") -> str:
    """Write one call of Five9."""
    return (
        f'{call},"{stamp}",Billing,Inbound,{agent},,Resolved,01632960001,Rosalind Marsh,800,0:05:00,0:06:00,0,0:00:20,'
        f"{wait},0:00:04,{talk},0:00:00,0:00:00,0:00:30,0,0,0,{abandoned},"
    )


def vicidial(call: int, epoch: int, date: str, user: str = "1001", reason: str = "AGENT") -> str:
    """Write one call of VICIdial."""
    times = f"{date},{epoch},{epoch + 200}"
    return f"{call},5,9,BILLING,{times},200,SALE,01632960001,{user},12.4,LEEDS,0,{reason},u.{call},1,1"


@pytest.mark.parametrize("name", vendors.DECLARED)
def test_what_is_shown_to_copy_is_what_a_trial_writes(name):
    """The mapping beside the package and the one of the examples are one."""
    own = Path(vendors.__file__).parent / "mappings" / f"{name}.toml"
    assert own.read_bytes() == (FOLDER / f"{name}.toml").read_bytes()


@pytest.mark.parametrize(
    ("name", "header", "row"),
    [
        ("five9", FIVE9_HEADER, "five9_row"),
        ("vicidial", VICIDIAL_HEADER, "vicidial_row"),
    ],
)
def test_a_trial_writes_the_mapping_with_its_zone_to_fill_in(tmp_path, capsys, name, header, row):
    """The file is recognised by its header; only where it lies and its zone are its own."""
    written = {
        "five9_row": lambda: five9(1, "fell", "0:00:25", "0:04:10", "0"),
        "vicidial_row": lambda: vicidial(1, 1794211200, "2026-11-09 08:00:00"),
    }[row]()
    (tmp_path / "ccanalysis.toml").write_text('[centre]\nname = "Test"\ntime_zone = "Europe/London"\n')
    (tmp_path / "log.csv").write_text(f"{header}\n{written}\n")
    assert vendors.recognise(vendors.read_head(tmp_path / "log.csv")) is None
    assert cli.main(["sources", "try", str(tmp_path / "log.csv"), "--workspace", str(tmp_path), "--write"]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"log.csv: {vendors.DECLARED[name][0]}, read by a declared mapping\n")
    assert "  read 1, kept 1, quarantined 0, duplicates 0, set aside 0\n" in said
    settings = tmp_path / "ccanalysis.toml"
    settings.write_text(settings.read_text().replace("FILL IN", "Europe/London"))
    staged = stage(Workspace.open(tmp_path))
    assert staged.intake["kept"].tolist() == [1]
    mapping = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    assert mapping[mapping.index("[sources.columns]") :] in settings.read_text()


def read(folder, mapping, name, content):
    """Stage one file with one of the mappings."""
    (folder / "exports").mkdir()
    (folder / "exports" / name).write_text(content, encoding="utf-8")
    centre = '[centre]\nname = "Test"\ntime_zone = "Europe/London"\n\n'
    (folder / "ccanalysis.toml").write_text(centre + (FOLDER / mapping).read_text(encoding="utf-8"), encoding="utf-8")
    staged = stage(Workspace.open(folder))
    return staged, pd.read_parquet(staged.tables["contacts"])


def test_five9_is_read_by_its_mapping(tmp_path):
    """Nobody is `[None]`; abandoned is told by 1, by nothing else; the zone is that of the report."""
    content = [
        FIVE9_HEADER,
        five9(1, "fell@example.test", "0:00:25", "0:04:10", "0"),
        five9(2, "[None]", "0:01:05", "0:00:00", "1"),
        five9(3, "wren@example.test", "0:00:05", "0:01:00", ""),
        five9(4, "[None]", "0:00:00", "0:00:00", ""),
        five9(5, "[None]", "0:03:00", "0:00:00", "0"),
        five9(6, "[None]", "0:03:00", "0:00:00", "2"),
    ]
    staged, contacts = read(tmp_path, "five9.toml", "five9_calls_46.csv", "\n".join([*content, ""]))
    told = contacts[["contact_id", "outcome", "wait_s", "talk_s", "menu_s"]].to_numpy().tolist()
    assert told == [
        ["1", "answered", 25, 250, 20],
        ["2", "abandoned", 65, 0, 20],
        ["3", "answered", 5, 60, 20],
        ["4", "left_menu", 0, 0, 20],
        ["5", "flowed_out", 180, 0, 20],
    ]
    assert contacts["agent_id"].fillna("").tolist() == ["fell@example.test", "", "wren@example.test", "", ""]
    assert contacts["offered_at"].astype(str).unique().tolist() == ["2026-11-12 22:51:34+00:00"]
    assert pd.read_parquet(staged.quarantine)["reason"].tolist() == ["outcome: none of its 'cases' holds"]


@pytest.mark.parametrize(
    ("date", "kept"),
    [
        ("2026-11-09 08:00:00", True),
        ("2026-11-09 09:00:00", True),  # a clock that was not put back
        ("2026-11-09 07:00:00", True),
        ("2026-11-09 09:00:01", False),
        ("2026-11-08 08:00:00", False),
        ("9 November", False),
        ("", True),
    ],
)
def test_the_two_clocks_of_vicidial_must_agree(tmp_path, date, kept):
    """An hour apart is a clock change; more is a server with a wrong time; a clock that is not told says nothing."""
    eight = 1794232800  # 9 November 2026, 08:00 in Chicago
    content = [VICIDIAL_HEADER, vicidial(1, eight, "2026-11-09 08:00:00"), vicidial(2, eight, date), ""]
    staged, contacts = read(tmp_path, "vicidial.toml", "vicidial_closer_log_46.csv", "\n".join(content))
    assert contacts["contact_id"].tolist() == (["1", "2"] if kept else ["1"])
    assert contacts["wait_s"].tolist()[0] == 12
    reasons = pd.read_parquet(staged.quarantine)[["source_row", "reason"]].to_numpy().tolist()
    said = "offered_at: the two clocks of the row are more than 3,600 seconds apart (export column 'start_epoch')"
    assert reasons == ([] if kept else [[3, said]])


def test_the_reasons_of_vicidial_are_a_closed_list(tmp_path):
    """Each is an outcome; one that is not listed is quarantined."""
    at = 1794232800
    reasons = ("AGENT", "CALLER", "ABANDON", "QUEUETIMEOUT", "AFTERHOURS", "NOAGENT", "NONE", "NEWREASON")
    content = [vicidial(n, at, "2026-11-09 08:00:00", reason=reason) for n, reason in enumerate(reasons)]
    content.append(vicidial(90, at, "2026-11-09 08:00:00", user="VDCL", reason="CALLER"))
    staged, contacts = read(
        tmp_path, "vicidial.toml", "vicidial_closer_log_46.csv", "\n".join([VICIDIAL_HEADER, *content, ""])
    )
    assert contacts["outcome"].tolist() == [
        *("answered", "answered", "abandoned", "flowed_out", "refused", "refused", "void", "abandoned"),
    ]
    assert pd.read_parquet(staged.quarantine)["source_row"].tolist() == [9]
