"""Reading one vendor's file into staged tables, for the tests of vendors' formats."""

from __future__ import annotations

CONTACTS = ("contact_id", "offered_at", "answered_at", "outcome", "queue", "agent_id", "wait_s", "talk_s", "transfers")
AMAZON, QUEUE_LOG = "amazon_connect.contact_records", "asterisk.queue_log"
EVALUATIONS = "amazon_connect.evaluations"
CXONE = "nice_cxone.call_detail"
TICKETS, TALK = "zendesk.ticket_metrics", "zendesk.talk_calls"
TALKDESK = "talkdesk.calls"
GENESYS = "genesys_cloud.conversations"


def read(desk, vendor, content, *tables, name="export.txt", columns="", more=""):
    """Stage one vendor's file into some tables; a table of contacts is always there."""
    for number, one in enumerate([content] if isinstance(content, str) else content):
        desk.write(name if number == 0 else f"{number}-{name}", one)
    if "contacts" not in tables:
        desk.write("z.csv", "a,b\n1,2026-11-09T00:00:00Z\n")
        mapping = (
            'contact_id = "a"\noffered_at = { column = "b", format = "iso" }\nchannel = { value = "voice" }\n'
            'outcome = { value = "answered" }'
        )
        desk.source("data/z.csv", mapping)
    for table in tables:
        desk.source(f"data/*{name}", columns, table=table, name=table, more=f'vendor = "{vendor}"\n{more}')
    return desk.stage()


def of(staged, table):
    """Return the counts of one source's files, added up."""
    mine = staged.intake[staged.intake["table"] == table]
    return {name: int(mine[name].sum()) for name in ("read", "kept", "quarantined", "duplicates", "set_aside")}


def utc(clock):
    """Write an instant of 9 November 2026 as staged tables show it."""
    return f"2026-11-09 {clock}+00" if clock else None
