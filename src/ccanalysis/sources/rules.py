"""The rules that a row of an export can break, and how each is said in words."""

from __future__ import annotations

# Rule -> reason. `{name}` is the contract column, `{origin}` the export columns, `{detail}` what the rule adds.
# A reason names columns, limits and allowed values; it never holds what the cell said.
REASONS: dict[str, str] = {
    "fields_missing": "the row has fewer fields than the header",
    "fields_extra": "the row has more fields than the header",
    "quote": "a quoted value is not closed where it should be",
    "control": "the row holds NUL or control characters",
    "length": "the row is longer than 1,000,000 characters",
    "cut": "the file ends without a line end after this row, so the row may be cut; end the file with a line end",
    "json": "the line is not whole JSON, so it is damaged, cut or still being written",
    "record": "the record lacks fields that every record of its format has, or holds them in another form",
    "event": "the line is not an event of the log, so it is damaged, cut or still being written",
    "unended": "the contact entered a queue and nothing tells how it left: the log was cut, the system restarted, or "
    "the contact was still there",
    "unbegun": "the log begins after this contact had entered its queue",
    "required": "{name} is empty, and every row needs it{origin}",
    "error_cell": "{name} is an error cell such as #N/A{origin}",
    "code": "{name} has a text that 'codes' does not list{origin}",
    "flag": "{name} is neither one of its 'true' nor one of its 'false' texts{origin}",
    "cases": "{name}: none of its 'cases' holds",
    "values": "{name} is not one of {detail}{origin}",
    "whole": "{name} is not a whole number{origin}",
    "number": "{name} is not a number written as the mapping declares{origin}",
    "duration": "{name} is not a duration in the declared unit {detail}{origin}",
    "low": "{name} is below {detail}{origin}",
    "high": "{name} is above {detail}{origin}",
    "time": "{name} is not a time written as {detail}{origin}",
    "date": "{name} is not a date written as {detail}{origin}",
    "clocks": "{name}: the two clocks of the row are more than {detail} apart{origin}",
    "year": "{name} lies outside the years {detail}{origin}",
    "time_skipped": "{name} is a local time that did not exist: clocks went forward on {detail}{origin}",
    "time_twice": "{name} is a local time that came twice: clocks went back on {detail}; give an offset{origin}",
}

# Rules about the shape of a row; more than one row in a hundred of these means that the file is not what was declared.
SHAPE_RULES = ("fields_missing", "fields_extra", "quote", "length")


def reason(rule: str, *, name: str = "", origin: tuple[str, ...] = (), detail: str = "") -> str:
    """Say in words which rule a row broke.

    Examples:
        >>> reason("low", name="wait_s", origin=("Queue time",), detail="0")
        "wait_s is below 0 (export column 'Queue time')"
    """
    if origin:
        columns = ", ".join(repr(column) for column in origin)
        origin_text = f" (export column{'s' if len(origin) > 1 else ''} {columns})"
    else:
        origin_text = ""
    return REASONS[rule].format(name=name, origin=origin_text, detail=detail)
