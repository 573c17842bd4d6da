"""What was decided and done: the register of actions and development activities."""

from __future__ import annotations

from ccanalysis.display import Note, Table
from ccanalysis.results import Results
from ccanalysis.views import common


def actions_table(results: Results) -> Table | Note:
    """Show the register of actions."""
    actions = results.actions
    if actions.empty:
        return Note(kind="paragraph", text="No register of actions was given.")
    rows = [
        [
            str(row["what"]),
            common.day(row["decided_on"]),
            str(row["state"] or ""),
            str(row["kpi"] or ""),
            str(row["unit"] or "centre"),
        ]
        for _, row in actions.iterrows()
    ]
    return Table(columns=["Action", "Decided", "State", "KPI", "Concerns"], rows=rows, caption="Actions")


def activities_table(results: Results) -> Table | Note:
    """Show the development activities of a line manager's people."""
    done = results.activities
    if done.empty:
        return Note(kind="paragraph", text="No development activities were given for these people.")
    rows = [
        [common.person(results, row["agent_id"]), common.day(row["done_on"]), str(row["kind"]), str(row["topic"] or "")]
        for _, row in done.sort_values(["agent_id", "done_on"]).iterrows()
    ]
    return Table(columns=["Person", "On", "Kind", "Topic"], rows=rows, caption="Development activities")
