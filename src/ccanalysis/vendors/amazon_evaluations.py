"""Amazon Connect evaluation output: one JSON document per evaluation, with its sections and questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ccanalysis.vendors.common import REPEAT, Asked, Leg, Reading, Record, Told, VendorFormat, at

HEADER = (
    "evaluationId",
    "questionRefId",
    "sectionRefId",
    "questionType",
    "contactId",
    "agentId",
    "evaluator",
    "form",
    "form version",
    "started",
    "submitted",
    "points",
    "max points",
    "automatic fail",
    "source",
    "evaluationSource",
    "resubmitted",
)
EVALUATIONS = """
evaluation_id = "evaluationId"
criterion = "questionRefId"
contact_id = "contactId"
evaluated_at = { column = "submitted", format = "iso" }
source = { column = "source", codes = { standard = "call_monitoring", calibration = "calibration" } }
evaluator_id = "evaluator"
agent_id = "agentId"
form = "form"
form_version = "form version"
points = "points"
max_points = "max points"
auto_fail = "automatic fail"
"""


def flatten(record: Record, table: str, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Give each question that is scored; one that does not apply has no points, one without score is no criterion."""
    metadata = record["metadata"]
    questions = record["questions"]
    if not record["evaluationId"] or not isinstance(metadata, Mapping) or not isinstance(questions, list):
        raise ValueError("not an evaluation")
    for question in questions:
        waived = True in (at(question, "answer.metadata.notApplicable"), at(question, "score.notApplicable"))
        score = at(question, "score.percentage")
        if score is None and not waived:
            continue
        yield {
            "evaluationId": record["evaluationId"],
            "questionRefId": question["questionRefId"],
            "sectionRefId": question.get("sectionRefId"),
            "questionType": question.get("questionType"),
            "contactId": metadata.get("contactId"),
            "agentId": metadata.get("agentId"),
            "evaluator": metadata.get("evaluator"),
            "form": metadata.get("evaluationDefinitionTitle"),
            "form version": metadata.get("evaluationDefinitionVersion"),
            "started": metadata.get("evaluationStartTimestamp"),
            "submitted": metadata.get("evaluationSubmitTimestamp"),
            "points": None if waived else score,
            "max points": 100,
            "automatic fail": at(question, "score.automaticFail") is True,
            "evaluationSource": metadata.get("evaluationSource"),
            "resubmitted": metadata.get("resubmitted"),
            "source": "calibration" if metadata.get("calibrationSessionId") else "standard",
        }


def merge(legs: Sequence[Leg], asked: Asked) -> Iterable[Told]:
    """Keep the questions of the evaluation that was submitted last; one evaluation may come in two files."""
    latest = max((leg.values["submitted"] or "", leg.file, leg.row) for leg in legs)
    for leg in legs:
        held = (leg.values["submitted"] or "", leg.file, leg.row) == latest
        yield Told(leg.file, leg.row, "" if held else REPEAT, leg.values)


FORMAT = VendorFormat(
    name="amazon_connect.evaluations",
    title="Amazon Connect evaluation output",
    written="one JSON document per evaluation and file, or JSON lines",
    readers=("json",),
    units="scores in per cent of a question",
    clock="UTC, written 2026-11-09T08:00:00Z",
    key="evaluationId and questionRefId",
    delivery="two files can exist for one evaluation; the later evaluationSubmitTimestamp holds",
    published="Amazon Connect Administrator Guide, Evaluation form output",
    traps=(
        "One evaluation can have two files; the one that was submitted last counts, whole.",
        "A question that does not apply has no points; it is not nought. A question without a score is no criterion.",
        "Weights are in the form, not in its output: declare them as codes of questionRefId.",
        "contactId names the record that was evaluated; after a transfer that is a segment of the contact.",
        "agentId is the end of Agent.ARN in contact records; map agent_id of contacts from Agent.Id so that both meet.",
        "Calibration evaluations are marked as such and do not enter scores.",
    ),
    tables={"evaluations": EVALUATIONS},
    header={"evaluations": HEADER},
    marks=("evaluationId", "metadata", "questions", "sections"),
    flatten=flatten,
    group={"evaluations": "evaluationId"},
    merge=merge,
    personal=("notes", "metadata.creator", "metadata.evaluationAcknowledgerComment", "metadata.acknowledgerComment"),
)
