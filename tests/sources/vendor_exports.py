"""Small exports of each vendor, written by us from the published lists of fields; the people in them are made up."""

from __future__ import annotations

import json
from typing import Any

# --- Amazon Connect ---------------------------------------------------------------------------------------------------


def amazon(contact: str = "c-1", **given: Any) -> dict[str, Any]:
    """Write one contact record: offered 08:00:10, answered 08:00:30, ended 08:05:30."""
    record: dict[str, Any] = {
        "AWSAccountId": "123456789012",
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "Agent": {
            "ARN": "arn:aws:connect:eu-west-2:123456789012:instance/i/agent/a",
            "AfterContactWorkDuration": 25,
            "AgentInteractionDuration": 280,
            "ConnectedToAgentTimestamp": "2026-11-09T08:00:30Z",
            "CustomerHoldDuration": 20,
            "HierarchyGroups": None,
            "LongestHoldDuration": 20,
            "NumberOfHolds": 1,
            "RoutingProfile": {"ARN": "arn:rp", "Name": "Everyday"},
            "Username": "imogen.fell",
        },
        "AgentConnectionAttempts": 1,
        "Attributes": {"reason": "bill too high", "caller name": "Rosalind Marsh"},
        "Channel": "VOICE",
        "ConnectedToSystemTimestamp": "2026-11-09T08:00:00Z",
        "ContactId": contact,
        "CustomerEndpoint": {"Address": "+441632960001", "Type": "TELEPHONE_NUMBER"},
        "DisconnectReason": "CUSTOMER_DISCONNECT",
        "DisconnectTimestamp": "2026-11-09T08:05:30Z",
        "InitialContactId": None,
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-11-09T08:00:00Z",
        "LastUpdateTimestamp": "2026-11-09T08:07:00Z",
        "NextContactId": None,
        "PreviousContactId": None,
        "Queue": {
            "ARN": "arn:q",
            "DequeueTimestamp": "2026-11-09T08:00:30Z",
            "Duration": 20,
            "EnqueueTimestamp": "2026-11-09T08:00:10Z",
            "Name": "Billing",
        },
        "Recording": None,
        "SystemEndpoint": {"Address": "+441632960999", "Type": "TELEPHONE_NUMBER"},
        "TransferCompletedTimestamp": None,
        "TransferredToEndpoint": None,
    }
    return {**record, **given}


def amazon_queue(start: str, wait: int, name: str = "Billing") -> dict[str, Any]:
    """Write the queue of a record."""
    return {"ARN": "arn:q", "Name": name, "EnqueueTimestamp": f"2026-11-09T{start}Z", "Duration": wait}


def amazon_transfer() -> list[dict[str, Any]]:
    """One customer, transferred from billing to the specialists: two records, one contact."""
    agent = amazon()["Agent"]
    return [
        amazon("t-1", NextContactId="t-2", TransferCompletedTimestamp="2026-11-09T08:05:30Z"),
        amazon(
            "t-2",
            InitialContactId="t-1",
            PreviousContactId="t-1",
            InitiationMethod="TRANSFER",
            InitiationTimestamp="2026-11-09T08:05:00Z",
            Queue=amazon_queue("08:05:05", 45, "Specialists"),
            Agent={
                **agent,
                "Username": "tobias.wren",
                "ConnectedToAgentTimestamp": "2026-11-09T08:05:50Z",
                "AgentInteractionDuration": 100,
                "CustomerHoldDuration": 0,
                "AfterContactWorkDuration": 5,
            },
            DisconnectTimestamp="2026-11-09T08:07:30Z",
            LastUpdateTimestamp="2026-11-09T08:09:00Z",
        ),
    ]


def lines(records: list[dict[str, Any]]) -> str:
    """Write records as JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


def amazon_file() -> str:
    """A morning: answered, transferred, abandoned, left in the menu, flowed out, a task, a promise with its callback."""
    alone = {"Agent": None}
    return lines(
        [
            amazon("c-1"),
            *amazon_transfer(),
            amazon("a-1", **alone, Queue=amazon_queue("08:10:00", 65), DisconnectTimestamp="2026-11-09T08:11:05Z"),
            amazon("m-1", **alone, Queue=None, DisconnectTimestamp="2026-11-09T08:00:40Z"),
            amazon("f-1", **alone, Queue=amazon_queue("08:20:00", 300), DisconnectReason="CONTACT_FLOW_DISCONNECT"),
            amazon("k-1", Channel="TASK"),
            amazon("p-1", **alone, Queue=amazon_queue("08:30:00", 30), NextContactId="p-2"),
            amazon(
                "p-2",
                InitialContactId="p-1",
                PreviousContactId="p-1",
                InitiationMethod="CALLBACK",
                InitiationTimestamp="2026-11-09T08:40:00Z",
                Queue=amazon_queue("08:40:00", 90),
            ),
        ]
    )


# --- Asterisk ---------------------------------------------------------------------------------------------------------

EIGHT = 1794211200  # 9 November 2026, 08:00:00 UTC


def event(after: int, call: str, name: str, *parameters: object, queue: str = "billing", agent: str = "NONE") -> str:
    """Write one event, some seconds after eight."""
    return "|".join(str(part) for part in (EIGHT + after, call, queue, agent, name, *parameters))


def queue_log_file() -> str:
    """A morning at one queue: every way out, a call that went through two queues, and a restart that lost a call."""
    fell, wren = {"agent": "SIP/fell"}, {"agent": "SIP/wren"}
    return "".join(
        line + "\n"
        for line in (
            event(-60, "NONE", "QUEUESTART", queue="NONE"),
            event(-50, "NONE", "ADDMEMBER", **fell),
            event(-40, "NONE", "ADDMEMBER", **wren),
            event(0, "c.1", "ENTERQUEUE", "", "01632960001", 1),
            event(5, "c.1", "RINGNOANSWER", 5000, **wren),
            event(12, "c.1", "CONNECT", 12, "b.1", 3, **fell),
            event(132, "c.1", "COMPLETECALLER", 12, 120, 1, **fell),
            event(200, "a.1", "ENTERQUEUE", "", "01632960002", 1),
            event(245, "a.1", "ABANDON", 1, 1, 45),
            event(300, "w.1", "ENTERQUEUE", "", "", 1),
            event(360, "w.1", "EXITWITHTIMEOUT", 1, 1, 60),
            event(361, "w.1", "ENTERQUEUE", "", "", 1, queue="overflow"),
            event(371, "w.1", "CONNECT", 10, "b.2", 2, queue="overflow", **wren),
            event(471, "w.1", "BLINDTRANSFER", "200", "internal", 10, 100, 1, queue="overflow", **wren),
            event(500, "k.1", "ENTERQUEUE", "", "", 1),
            event(520, "k.1", "EXITWITHKEY", "9", 1, 1, 20),
            event(600, "e.1", "ENTERQUEUE", "", "", 1),
            event(601, "e.1", "EXITEMPTY", 1, 1, 1),
            event(700, "x.1", "ENTERQUEUE", "", "", 1),
            event(710, "NONE", "QUEUESTART", queue="NONE"),
            event(800, "NONE", "PAUSE", "Lunch", **fell),
            event(1400, "NONE", "UNPAUSE", **fell),
            event(2000, "NONE", "REMOVEMEMBER", **fell),
            event(2000, "NONE", "REMOVEMEMBER", **wren),
        )
    )
