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
            "ARN": "arn:aws:connect:eu-west-2:123456789012:instance/i/agent/0001-fell",
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
    """A morning: answered, transferred, abandoned, left in the menu, flowed out, a task, a promise and its callback."""
    alone = {"Agent": None}
    return lines(
        [
            amazon("c-1"),
            *amazon_transfer(),
            amazon("a-1", **alone, Queue=amazon_queue("08:10:00", 65), DisconnectTimestamp="2026-11-09T08:11:05Z"),
            amazon("m-1", **alone, Queue=None, DisconnectTimestamp="2026-11-09T08:00:40Z"),
            amazon(
                "f-1",
                **alone,
                Queue=amazon_queue("08:20:00", 300),
                DisconnectReason="CONTACT_FLOW_DISCONNECT",
                DisconnectTimestamp="2026-11-09T08:25:00Z",
            ),
            amazon("k-1", Channel="TASK"),
            amazon(
                "p-1",
                **alone,
                Queue=amazon_queue("08:30:00", 30),
                NextContactId="p-2",
                DisconnectTimestamp="2026-11-09T08:30:30Z",
            ),
            amazon(
                "p-2",
                InitialContactId="p-1",
                PreviousContactId="p-1",
                InitiationMethod="CALLBACK",
                InitiationTimestamp="2026-11-09T08:40:00Z",
                Queue=amazon_queue("08:40:00", 90),
                Agent={**amazon()["Agent"], "ConnectedToAgentTimestamp": "2026-11-09T08:41:30Z"},
                DisconnectTimestamp="2026-11-09T08:46:30Z",
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


def amazon_evaluation(evaluation: str = "e-1", submitted: str = "2026-11-10T10:00:00Z", points: int = 80) -> str:
    """Write the output of one evaluation: a scored question, one that does not apply, and one in words."""
    return json.dumps(
        {
            "schemaVersion": "3.1",
            "evaluationId": evaluation,
            "metadata": {
                "contactId": "c-1",
                "accountId": "123456789012",
                "instanceId": "i-1",
                "agentId": "imogen.fell",
                "evaluationDefinitionTitle": "Billing calls",
                "evaluator": "arn:aws:connect:evaluator/hollis.grey",
                "evaluationDefinitionId": "f-1",
                "evaluationDefinitionVersion": 3,
                "evaluationStartTimestamp": "2026-11-10T09:50:00Z",
                "evaluationSubmitTimestamp": submitted,
                "score": {"percentage": points},
            },
            "sections": [{"sectionRefId": "s1", "sectionTitle": "Opening"}],
            "questions": [
                {
                    "questionRefId": "greeting",
                    "sectionRefId": "s1",
                    "questionType": "SINGLESELECT",
                    "answer": {"values": [{"valueText": "Yes", "selected": True}], "notes": "Rosalind was pleased"},
                    "score": {"percentage": points, "automaticFail": points == 0},
                },
                {
                    "questionRefId": "payment",
                    "sectionRefId": "s1",
                    "questionType": "NUMERIC",
                    "answer": {"value": None, "metadata": {"notApplicable": True}},
                    "score": {"notApplicable": True},
                },
                {
                    "questionRefId": "remarks",
                    "sectionRefId": "s1",
                    "questionType": "TEXT",
                    "answer": {"value": "Rosalind was pleased"},
                },
            ],
        },
        indent=1,
    )


# --- NICE CXone -------------------------------------------------------------------------------------------------------

CXONE_HEADER = (
    "Contact_ID,Master_Contact_ID,Media_Name,Contact_Name,ANI_Dialnum,Skill_No,Skill_Name,Campaign_No,Campaign_Name,"
    "Agent_No,Agent_Name,Team_No,Team_Name,SLA,Start_Date,Start_Time,PreQueue,InQueue,Agent_Time,PostQueue,ACW_Seconds,"
    "Abandon,Abandon_Time"
)


def cxone(
    contact: str = "101",
    master: str = "",
    media: str = "Call",
    agent: str = "7",
    sla: str = "0",
    day: str = "11/09/2026",
    clock: str = "08:00:00",
    pre: int = 30,
    queue: int = 20,
    talk: int = 200,
    acw: int = 15,
    abandon: str = "N",
) -> str:
    """Write one row of Call Detail."""
    name = "Imogen Fell" if agent not in ("", "0") else ""
    return (
        f"{contact},{master or contact},{media},+441632960001,01632960001,5,Billing,2,Service,{agent},{name},1,Leeds,"
        f"{sla},{day},{clock},{pre},{queue},{talk},0,{acw},{abandon},{queue if abandon == 'Y' else 0}"
    )


def cxone_file() -> str:
    """A morning: within and outside the level, two transfers in a row, abandoned in the queue and before it."""
    abandoned = {"agent": "0", "talk": 0, "acw": 0, "abandon": "Y"}
    return "\n".join(
        [
            CXONE_HEADER,
            cxone("101"),
            cxone("102", sla="1", queue=95, clock="08:01:00"),
            cxone("103", sla="-1", queue=40, clock="08:02:00", **abandoned),
            cxone("104", sla="-1", queue=0, clock="08:03:00", **abandoned),
            cxone("105", clock="08:04:00"),
            cxone("106", "105", sla="-1", agent="8", clock="08:08:00", pre=0, queue=10, talk=50, acw=5),
            cxone("107", "106", sla="-1", agent="9", clock="08:09:30", pre=0, queue=5, talk=60, acw=5),
            cxone("108", media="Chat", clock="08:05:00"),
            "",
        ]
    )


# --- Zendesk ----------------------------------------------------------------------------------------------------------


def ticket(number: int = 1, reply: int | None = 90, **given: Any) -> dict[str, Any]:
    """Write the metrics of one ticket, created at eight and replied to after 90 minutes by the calendar."""

    def minutes(calendar: int | None, business: int | None) -> dict[str, int | None]:
        return {"calendar": calendar, "business": business}

    record: dict[str, Any] = {
        "id": 9000 + number,
        "ticket_id": number,
        "created_at": "2026-11-09T08:00:00Z",
        "assigned_at": "2026-11-09T08:10:00Z",
        "initially_assigned_at": "2026-11-09T08:05:00Z",
        "solved_at": "2026-11-09T12:00:00Z",
        "updated_at": "2026-11-09T12:00:00Z",
        "status_updated_at": "2026-11-09T12:00:00Z",
        "assignee_updated_at": None,
        "requester_updated_at": None,
        "latest_comment_added_at": "2026-11-09T11:00:00Z",
        "reopens": 0,
        "replies": 1,
        "assignee_stations": 2,
        "group_stations": 1,
        "reply_time_in_minutes": minutes(reply, None if reply is None else 30),
        "first_resolution_time_in_minutes": minutes(240, 120),
        "full_resolution_time_in_minutes": minutes(240, 120),
        "agent_wait_time_in_minutes": minutes(5, 5),
        "requester_wait_time_in_minutes": minutes(100, 40),
        "on_hold_time_in_minutes": minutes(0, 0),
    }
    return {**record, **given}


def tickets_file() -> str:
    """A page of the interface: replied to, still waiting, solved without a reply."""
    waiting = ticket(2, None, solved_at=None, replies=0, assignee_stations=0)
    return json.dumps({"ticket_metrics": [ticket(1), waiting, ticket(3, None, replies=0)], "count": 3}, indent=1)


def talk_call(number: int = 1, status: str = "completed", **given: Any) -> dict[str, Any]:
    """Write one call of Zendesk Talk."""
    record: dict[str, Any] = {
        "id": number,
        "created_at": "2026-11-09T08:00:00Z",
        "updated_at": "2026-11-09T08:10:00Z",
        "agent_id": 501,
        "customer_id": 777001,
        "ticket_id": 1,
        "direction": "inbound",
        "duration": 300,
        "wait_time": 25,
        "time_to_answer": 40,
        "talk_time": 240,
        "hold_time": 10,
        "wrap_up_time": 20,
        "consultation_time": 0,
        "completion_status": status,
        "exceeded_queue_wait_time": False,
        "outside_business_hours": False,
        "voicemail": False,
        "callback": False,
        "overflowed": False,
        "recording_time": 240,
        "not_recording_time": 0,
        "recording_control_interactions": 0,
    }
    return {**record, **given}


def talk_file() -> str:
    """Every way that a call can end, a paused recording and a callback."""
    statuses = ("completed", "abandoned_in_queue", "abandoned_in_ivr", "abandoned_on_hold", "abandoned_in_voicemail")
    calls = [talk_call(n, status) for n, status in enumerate(statuses, 1)]
    calls.append(talk_call(6, voicemail=True, agent_id=None))
    calls.append(talk_call(7, recording_control_interactions=2, not_recording_time=45))
    calls.append(talk_call(8, callback=True))
    calls.append(talk_call(9, agent_id=None, talk_time=0))
    return lines(calls)


# --- Talkdesk ---------------------------------------------------------------------------------------------------------

TALKDESK_HEADER = (
    "call_id,type,start_at,end_at,total_time,talk_time,wait_time,hold_time,abandon_time,user_id,user_email,is_transfer"
)


def talkdesk_old() -> str:
    """Two days before the change: fractions of a day, no zone, TRUE and No."""
    return "\n".join(
        [
            TALKDESK_HEADER,
            "k1,inbound,2026-05-09 08:00:00,2026-05-09 08:05:00,0.003472222,0.003240741,0.000069444446,0,,u1,"
            "fell@example.test,TRUE",
            "k2,short_abandoned,2026-05-09 09:00:00,2026-05-09 09:00:06,0.000069444446,0,0.000069444446,0,"
            "0.000069444446,,,No",
            "",
        ]
    )


def talkdesk_new() -> str:
    """After the change: whole seconds, UTC, true and false."""
    return "\n".join(
        [
            TALKDESK_HEADER,
            "k3,inbound,2026-05-12T08:00:00Z,2026-05-12T08:05:00Z,300,280,6,0,,u1,fell@example.test,true",
            "k4,missed,2026-05-12T09:00:00Z,2026-05-12T09:01:00Z,60,0,60,0,,,,false",
            "k5,voicemail,2026-05-12T10:00:00Z,2026-05-12T10:01:00Z,60,0,30,0,,,,false",
            "k6,outbound_missed,2026-05-12T11:00:00Z,2026-05-12T11:01:00Z,60,0,0,0,,u1,fell@example.test,false",
            "",
        ]
    )


# --- Genesys Cloud ----------------------------------------------------------------------------------------------------


def metric(name: str, value: float, emitted: str = "2026-11-09T08:05:00.000Z") -> dict[str, Any]:
    """Write one metric of a session."""
    return {"emitDate": emitted, "name": name, "value": value}


def conversation(
    name: str = "v-1", left: str = "tAnswered", wait: int = 15_400, *, ended: bool = True, **given: Any
) -> dict[str, Any]:
    """Write one conversation: a menu, a queue, and an agent where it was answered."""
    day = "2026-11-09T"
    queue = {
        "participantId": f"{name}-acd",
        "purpose": "acd",
        "sessions": [
            {
                "sessionId": f"{name}-q",
                "mediaType": "voice",
                "direction": "inbound",
                "ani": "tel:+441632960001",
                "metrics": [metric("nOffered", 1), metric("tAcd", wait), metric(left, wait)] if left else [],
                "segments": [
                    {"segmentStart": f"{day}08:00:10.000Z", "segmentEnd": f"{day}08:00:25.400Z", "queueId": "q-billing"}
                ],
            }
        ],
    }
    agent = {
        "participantId": f"{name}-agent",
        "purpose": "agent",
        "userId": "u-fell",
        "teamId": "team-leeds",
        "sessions": [
            {
                "sessionId": f"{name}-a",
                "mediaType": "voice",
                "direction": "inbound",
                "metrics": [
                    metric("tTalk", 120_000),
                    metric("tHeld", 8_600),
                    metric("tTalk", 30_000),
                    metric("tAcw", 21_000),
                ],
                "segments": [
                    {
                        "segmentStart": f"{day}08:00:15.000Z",
                        "segmentEnd": f"{day}08:00:25.400Z",
                        "segmentType": "alert",
                    },
                    {
                        "segmentStart": f"{day}08:00:25.400Z",
                        "segmentEnd": f"{day}08:03:04.000Z",
                        "segmentType": "interact",
                        "queueId": "q-billing",
                        "wrapUpNote": "Rosalind was pleased",
                    },
                ],
            }
        ],
    }
    customer = {
        "participantId": f"{name}-c",
        "purpose": "customer",
        "sessions": [{"sessionId": f"{name}-s", "mediaType": "voice"}],
    }
    record: dict[str, Any] = {
        "conversationId": name,
        "conversationStart": f"{day}08:00:00.000Z",
        "conversationEnd": f"{day}08:03:30.000Z" if ended else None,
        "originatingDirection": "inbound",
        "divisionIds": ["d-1"],
        "participants": [customer, queue, *([agent] if left == "tAnswered" else [])],
    }
    return {**record, **given}


def genesys_evaluation(
    name: str = "e-1", total: float = 90, event_time: str = "2026-11-10T09:00:00.000Z", **given: Any
) -> dict[str, Any]:
    """Write one evaluation of a conversation."""
    record = {
        "evaluationId": name,
        "evaluatorId": "u-grey",
        "userId": "u-fell",
        "formId": "f-3",
        "formName": "Billing calls",
        "calibrationId": None,
        "released": True,
        "rescored": False,
        "deleted": False,
        "evaluationStatus": "FINISHED",
        "oTotalScore": total,
        "oTotalCriticalScore": 100,
        "eventTime": event_time,
    }
    return {**record, **given}


def genesys_file() -> str:
    """A document with every way out of a queue, a conversation that goes on, and one with an evaluation."""
    menu = conversation("m-1", "")
    menu["participants"] = menu["participants"][:1]
    return json.dumps(
        {
            "conversations": [
                conversation("v-1", evaluations=[genesys_evaluation()]),
                conversation("b-1", "tAbandon", 61_000),
                conversation("s-1", "tShortAbandon", 2_000),
                conversation("f-1", "tFlowOut", 90_000),
                menu,
                conversation("o-1", "", ended=False),
            ],
            "totalHits": 6,
        },
        indent=2,
    )


FILES = {
    "amazon_connect.contact_records": ("ctr.jsonl", amazon_file),
    "amazon_connect.evaluations": ("evaluation.json", amazon_evaluation),
    "asterisk.queue_log": ("queue_log", queue_log_file),
    "nice_cxone.call_detail": ("call_detail.csv", cxone_file),
    "zendesk.ticket_metrics": ("ticket_metrics.json", tickets_file),
    "zendesk.talk_calls": ("calls.jsonl", talk_file),
    "talkdesk.calls": ("calls.csv", talkdesk_new),
    "genesys_cloud.conversations": ("conversations.json", genesys_file),
}
