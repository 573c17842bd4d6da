"""The contract tables: the one place that names a column, its unit, its range and its allowed values.

Sources turn exports into these tables; everything behind them trusts names, units and types. Times are UTC
instants, durations whole seconds, `*_date` and `*_on` local days of the centre, `n_*` counts, `*_share` 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ccanalysis.errors import SettingsError, nearest

Type = Literal["text", "integer", "number", "boolean", "instant", "date"]

SQL_TYPES: dict[Type, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "instant": "TIMESTAMPTZ",
    "date": "DATE",
}

CHANNELS = ("voice", "chat", "email", "social", "sms", "video", "post")
DIRECTIONS = ("inbound", "outbound", "callback")
OUTCOMES = ("answered", "abandoned", "left_menu", "callback_promised", "flowed_out", "voicemail", "refused", "void")
EVALUATION_SOURCES = (
    "call_monitoring",
    "self",
    "peer_observation",
    "peer_feedback",
    "customer_feedback",
    "calibration",
)
ACTIVITY_KINDS = ("training", "coaching", "observation", "buddying")
ESCALATION_REASONS = ("authority_limit", "specialist_knowledge", "customer_demand", "regulatory")
SEVERITIES = ("minor", "major", "critical")
DAY_S = 86_400


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a contract table.

    Attributes:
        name: The field's standard term, with the unit where there is one (`wait_s`).
        type: How the values are kept.
        about: What it says, for the glossary and for errors.
        required: Whether every row must have a value.
        values: The allowed values, where the list is closed.
        low: The least possible value, in the unit of the column.
        high: The greatest possible value.
        personal: Whether it identifies or describes a person; such values never reach a log or an error.
        derived: Whether staging fills it, not the export.
        free: Whether people write it freely, so that card data may stand in it however they are broken up.
    """

    name: str
    type: Type
    about: str
    required: bool = False
    values: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    personal: bool = False
    derived: bool = False
    free: bool = False

    @property
    def sql_type(self) -> str:
        """The DuckDB type that staging writes."""
        return SQL_TYPES[self.type]


@dataclass(frozen=True, kw_only=True)
class Table:
    """One contract table.

    Attributes:
        name: The table's name, as in `expectations/<name>.json`.
        about: What one row is.
        columns: The columns in order.
        key: The columns that identify a row; repeats of a key are duplicates.
        instant: The column that places a row in time, if it is an instant.
        day: The column that places a row in time, if it is a local day.
        updated: The column that tells which of two versions of a row is later.
        extensible: Whether a workspace may add columns of its own.
        texts: What customers and colleagues wrote in their own words. These are no columns: they are kept only where a
            workspace asks for it, in a file of their own, and no rule, measure or report reads them.
    """

    name: str
    about: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    instant: str | None = None
    day: str | None = None
    updated: str | None = None
    extensible: bool = False
    texts: tuple[Column, ...] = ()
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False, hash=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the columns by name."""
        self._by_name.update({column.name: column for column in self.columns})

    def __contains__(self, name: str) -> bool:
        """Tell whether the table has a column of that name."""
        return name in self._by_name

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises:
            SettingsError: The table has no such column; the nearest name is offered.
        """
        if name not in self._by_name:
            raise SettingsError(
                f"table {self.name!r} has no column {name!r}", remedy=nearest(name, list(self._by_name))
            )
        return self._by_name[name]

    @property
    def mapped(self) -> tuple[Column, ...]:
        """The columns that an export fills."""
        return tuple(column for column in self.columns if not column.derived)

    @property
    def fillable(self) -> tuple[Column, ...]:
        """What a mapping may fill: the columns of an export, and free text."""
        return self.mapped + self.texts

    @property
    def local_day(self) -> str:
        """The column with the local day of a row, whatever the table keeps time by."""
        return self.day or "local_date"

    def extended(self, extra: tuple[Column, ...]) -> Table:
        """Return the table with a workspace's own columns behind its own.

        Raises:
            SettingsError: The table takes no further columns, or has one of that name.
        """
        if extra and not self.extensible:
            raise SettingsError(
                f"table {self.name!r} takes no further columns",
                remedy="Columns can be added to 'contacts' and 'intervals'; keep these out of the mapping",
            )
        for column in extra:
            if column.name in self:
                raise SettingsError(
                    f"table {self.name!r} already has a column {column.name!r}", remedy="Choose another name"
                )
        return replace(self, columns=self.columns + extra)


def _text(name: str, about: str, **more: object) -> Column:
    return Column(name=name, type="text", about=about, **more)  # type: ignore[arg-type]


def _words(name: str, about: str) -> Column:
    return Column(name=name, type="text", about=about, personal=True, free=True)


def _seconds(name: str, about: str, *, high: float = DAY_S, **more: object) -> Column:
    return Column(name=name, type="integer", about=about, low=0, high=high, **more)  # type: ignore[arg-type]


def _count(name: str, about: str, **more: object) -> Column:
    return Column(name=name, type="integer", about=about, low=0, **more)  # type: ignore[arg-type]


def _instant(name: str, about: str, **more: object) -> Column:
    return Column(name=name, type="instant", about=about, **more)  # type: ignore[arg-type]


def _date(name: str, about: str, **more: object) -> Column:
    return Column(name=name, type="date", about=about, **more)  # type: ignore[arg-type]


def _flag(name: str, about: str, **more: object) -> Column:
    return Column(name=name, type="boolean", about=about, **more)  # type: ignore[arg-type]


def _number(name: str, about: str, **more: object) -> Column:
    return Column(name=name, type="number", about=about, **more)  # type: ignore[arg-type]


_LOCAL = (
    _date("local_date", "local day of the row", derived=True),
    Column(name="local_hour", type="integer", about="local hour, 0 to 23", low=0, high=23, derived=True),
)
# Where a row came from; every staged table ends with these.
LINEAGE = (
    _text("source_file", "file the row was read from", derived=True),
    Column(name="source_row", type="integer", about="row of the file, header = 1", low=1, derived=True),
    _text("ingest", "short hash of the file's bytes and its mapping", derived=True),
)
_PERSON = (
    _text("site", "site", derived=False),
    _text("team", "team at the time; empty means unassigned"),
    _text("agent_id", "agent, as the source identifies them", personal=True),
    _text("line_manager", "line manager of the agent at the time", personal=True, derived=True),
)


def _table(name: str, about: str, *columns: Column, key: tuple[str, ...], **more: object) -> Table:
    timed = _LOCAL if more.get("instant") else ()
    return Table(name=name, about=about, columns=(*columns, *timed, *LINEAGE), key=key, **more)  # type: ignore[arg-type]


CONTACTS = _table(
    "contacts",
    "one row per customer contact",
    _text("contact_id", "identifier of the contact", required=True),
    _instant("offered_at", "when the contact was offered to a queue or agent", required=True),
    _instant("answered_at", "when an agent answered"),
    _instant("ended_at", "when the contact ended for the customer"),
    _instant("resolved_at", "when its owner last recorded it as resolved; empty means still open"),
    _instant("sla_due_at", "when it was due to be resolved, by the priority in force at that time"),
    _instant("updated_at", "when the source last changed the row"),
    _text("channel", "medium", required=True, values=CHANNELS),
    _text("direction", "who started it", values=DIRECTIONS),
    _text("outcome", "how it left the queue", required=True, values=OUTCOMES),
    _text("queue", "queue"),
    _text("reason", "contact reason"),
    _text("customer_id", "customer, pseudonymous where possible", personal=True),
    *_PERSON,
    _seconds("wait_s", "wait in queue", high=7 * DAY_S),
    _seconds("talk_s", "talk (or active handling)", high=4 * 3600 * 6),
    _seconds("hold_s", "hold"),
    _seconds("acw_s", "after-contact work"),
    _seconds("menu_s", "time in menus before the queue"),
    _flag("in_threshold", "the source's own word on whether it was answered within its threshold"),
    _seconds("threshold_s", "threshold that the source's word holds to", high=7 * DAY_S),
    _count("transfers", "times the contact was passed on"),
    _flag("escalated", "whether it was escalated"),
    _flag("resolved", "whether its owner recorded it as resolved"),
    _count("reopens", "times it was opened again after it was resolved"),
    _flag("callback_reached", "whether the promised call-back reached the customer"),
    _count("n_statements_required", "mandatory statements that the contact called for"),
    _count("n_statements_made", "mandatory statements that were made"),
    _flag("disclosure", "whether personal details were disclosed, so that identity had to be validated first"),
    _flag("identity_validated", "whether identity was validated before disclosure"),
    _flag("payment", "whether a card payment was taken"),
    _flag("recording_paused", "whether recording was paused across the card step"),
    key=("contact_id",),
    instant="offered_at",
    updated="updated_at",
    texts=(_words("notes", "what the agent wrote about the contact"),),
    extensible=True,
)

SEGMENTS = _table(
    "segments",
    "one row per queue or agent leg of a contact",
    _text("segment_id", "identifier of the leg", required=True),
    _text("contact_id", "contact it belongs to", required=True),
    _instant("started_at", "when the leg began", required=True),
    _instant("ended_at", "when the leg ended"),
    _text("kind", "queue, agent or transfer", values=("menu", "queue", "agent", "transfer")),
    _flag("accepted", "whether the agent took the contact that was offered to them"),
    _text("queue", "queue"),
    *_PERSON,
    _seconds("wait_s", "wait of the leg", high=7 * DAY_S),
    _seconds("talk_s", "talk of the leg"),
    _seconds("hold_s", "hold of the leg"),
    _seconds("acw_s", "after-contact work of the leg"),
    key=("segment_id",),
    instant="started_at",
)

INTERVALS = _table(
    "intervals",
    "counts of one unit in one interval, for centres that only get interval reports",
    _date("starts_on", "first local day of the interval", required=True),
    Column(name="starts_hour", type="integer", about="local hour, where intervals are within a day", low=0, high=23),
    _text(
        "length", "how long one interval is", required=True, values=("15min", "30min", "hour", "day", "week", "month")
    ),
    _text("site", "site"),
    _text("team", "team or provider"),
    _text("queue", "queue"),
    _text("channel", "medium", values=CHANNELS),
    _count("n_offered", "contacts offered"),
    _count("n_answered", "contacts answered"),
    _count("n_abandoned", "contacts abandoned in queue"),
    _count("n_flowed_out", "contacts that left the queue for another one or another way"),
    _count("n_short", "contacts abandoned so early that the source does not count them as abandoned"),
    _count("n_closed", "contacts turned away because the queue was closed"),
    _count("n_in_threshold", "contacts answered within the source's threshold"),
    _count("wait_s_sum", "wait of answered contacts, summed, seconds"),
    _count("handle_s_sum", "talk, hold and after-contact work, summed, seconds"),
    _number("asa_s", "average speed of answer as the source gives it", low=0),
    _number("service_level_share", "service level as the source gives it", low=0, high=1),
    key=("starts_on", "starts_hour", "site", "team", "queue", "channel"),
    day="starts_on",
    extensible=True,
)

EVALUATIONS = _table(
    "evaluations",
    "one row per evaluation and criterion",
    _text("evaluation_id", "evaluation", required=True),
    _text("criterion", "criterion of the form", required=True),
    _text("contact_id", "contact that was evaluated"),
    _instant("evaluated_at", "when it was submitted", required=True),
    _text("source", "who evaluated", required=True, values=EVALUATION_SOURCES),
    _text("evaluator_id", "evaluator", personal=True),
    _text("form", "form"),
    _text("form_version", "version of the form"),
    _text("channel", "medium", values=CHANNELS),
    _text("expression", "verbal or written", values=("verbal", "written")),
    *_PERSON,
    _number("points", "points given; empty where not applicable", low=0),
    _number("max_points", "points possible", low=0),
    _number("weight", "weight of the criterion in the form, per cent", low=0, high=100),
    _number("score_share", "the whole evaluation's score as the source gives it, 0 to 1", low=0, high=1),
    _text("critical", "class of a critical error, where one was found", values=("customer", "business", "compliance")),
    _flag("auto_fail", "whether the criterion failed the whole evaluation"),
    _flag("expert", "whether the evaluator is the reference of a calibration"),
    _flag("withdrawn", "whether the evaluation was withdrawn or deleted at the source"),
    key=("evaluation_id", "criterion"),
    instant="evaluated_at",
    texts=(_words("comment", "the evaluator's words"),),
)

SURVEYS = _table(
    "surveys",
    "one row per survey invitation",
    _text("survey_id", "invitation", required=True),
    _text("contact_id", "contact asked about"),
    _instant("invited_at", "when the customer was asked", required=True),
    _instant("answered_at", "when the customer answered; empty means no answer"),
    _text("channel", "medium of the contact", values=CHANNELS),
    *_PERSON,
    _number("csat", "satisfaction, 1 to 5", low=1, high=5),
    _number("nps", "likelihood to recommend, 0 to 10", low=0, high=10),
    _number("effort", "effort, 1 low to 5 high", low=1, high=5),
    _flag("resolved_first_time", "the customer's own answer"),
    key=("survey_id",),
    instant="invited_at",
    texts=(_words("comment", "the customer's words"),),
)

COMPLAINTS = _table(
    "complaints",
    "one row per complaint",
    _text("complaint_id", "complaint", required=True),
    _text("contact_id", "contact it was made in"),
    _instant("received_at", "when it was received", required=True),
    _instant("summary_sent_at", "when a summary resolution communication was sent"),
    _instant("responded_at", "when the final response was sent"),
    _instant("closed_at", "when it was closed"),
    _text("channel", "medium", values=CHANNELS),
    *_PERSON,
    _text("category", "what it is about"),
    _text("root_cause", "root cause, once known", free=True),
    _text("outcome", "outcome, once closed", values=("upheld", "part_upheld", "rejected", "withdrawn")),
    _number("redress", "money paid, in the centre's currency", low=0),
    _flag("high_risk", "whether it is high-risk or high-profile"),
    key=("complaint_id",),
    instant="received_at",
    texts=(_words("words", "the complaint in the customer's words"),),
)

BREACHES = _table(
    "breaches",
    "one row per breach of a requirement",
    _text("breach_id", "breach", required=True),
    _text("requirement_id", "requirement that was breached", required=True),
    _text("contact_id", "contact in which it happened"),
    _instant("found_at", "when it was found", required=True),
    _instant("closed_at", "when it was closed"),
    *_PERSON,
    _text("severity", "how grave", values=SEVERITIES),
    _text("action", "what was done", free=True),
    key=("breach_id",),
    instant="found_at",
)

ESCALATIONS = _table(
    "escalations",
    "one row per escalation or decision under delegated authority",
    _text("escalation_id", "escalation", required=True),
    _text("contact_id", "contact"),
    _instant("referred_at", "when it was referred", required=True),
    _instant("resolved_at", "when it was resolved"),
    *_PERSON,
    _text("reason", "why", values=ESCALATION_REASONS),
    _text("route", "verbal or written", values=("verbal", "written")),
    _text("decided_by", "who decided", personal=True),
    _text("decision", "kind of decision, as in the delegations"),
    _number("amount", "amount decided on, in the centre's currency", low=0),
    _flag("rationale_recorded", "whether the reasons of the decision were recorded"),
    key=("escalation_id",),
    instant="referred_at",
)

DELEGATIONS = _table(
    "delegations",
    "limits of authority, dated",
    _text("role", "role", required=True),
    _text("kind", "kind of decision", required=True),
    _number("limit", "greatest amount, in the centre's currency", low=0, required=True),
    _date("valid_from", "first day in force", required=True),
    _date("valid_to", "last day in force; empty means until further notice"),
    key=("role", "kind", "valid_from"),
    day="valid_from",
)

AGENTS = _table(
    "agents",
    "the roster: one row per agent and stay in a team",
    _text("agent_id", "agent", required=True, personal=True),
    _text("agent_name", "name", personal=True),
    _text("team", "team", required=True),
    _text("site", "site"),
    _text("line_manager", "line manager", personal=True),
    _text("role", "role"),
    _date("employed_from", "first day at the centre"),
    _date("valid_from", "first day in this team", required=True),
    _date("valid_to", "last day in this team; empty means until further notice"),
    key=("agent_id", "valid_from"),
    day="valid_from",
)

AGENT_STATES = _table(
    "agent_states",
    "one row per agent, day and state",
    _text("agent_id", "agent", required=True, personal=True),
    _text("site", "site"),
    _text("team", "team at the time; empty means unassigned"),
    _text("line_manager", "line manager of the agent at the time", personal=True, derived=True),
    _date("on_date", "local day", required=True),
    _text(
        "state",
        "state",
        required=True,
        values=("available", "contact", "acw", "break", "meeting", "training", "absent"),
    ),
    _seconds("scheduled_s", "scheduled in this state"),
    _seconds("actual_s", "spent in this state", required=True),
    _seconds("adherent_s", "spent in it as scheduled"),
    key=("agent_id", "on_date", "state"),
    day="on_date",
)

ACTIVITIES = _table(
    "activities",
    "development activities",
    _text("activity_id", "activity", required=True),
    _text("agent_id", "agent", required=True, personal=True),
    _text("kind", "kind", required=True, values=ACTIVITY_KINDS),
    _text("topic", "what it was about", free=True),
    _text("need", "the development need it answers", free=True),
    _date("done_on", "local day", required=True),
    _seconds("duration_s", "time it took"),
    _text("given_by", "who gave it", personal=True),
    key=("activity_id",),
    day="done_on",
)

REQUIREMENTS = _table(
    "requirements",
    "requirements on the centre, dated",
    _text("requirement_id", "requirement", required=True),
    _text("title", "short title", required=True),
    _text("origin", "where it comes from", required=True, values=("organisational", "regulatory", "code_of_practice")),
    _text("objective", "policy objective it serves"),
    _text("procedure", "procedure that fulfils it"),
    _text("criterion", "evaluation criterion that looks at it"),
    _text("kpi", "KPI that measures it"),
    _date("valid_from", "first day in force", required=True),
    _date("valid_to", "last day in force"),
    _text("source", "citation"),
    _flag("verified", "whether the citation was checked at its source"),
    key=("requirement_id", "valid_from"),
    day="valid_from",
)

COSTS = _table(
    "costs",
    "costs per channel and month",
    _date("month", "first day of the month", required=True),
    _text("channel", "medium", required=True, values=CHANNELS),
    _text("kind", "kind of cost", required=True, values=("staff", "technology", "telephony", "other")),
    _number("amount", "amount, in the centre's currency", required=True, low=0),
    key=("month", "channel", "kind"),
    day="month",
)

CALENDAR = _table(
    "calendar",
    "opening hours per day and channel, where they differ from the workspace's",
    _date("on_date", "local day", required=True),
    _text("channel", "medium", values=CHANNELS),
    _text("opens", "local time as 08:00; empty means closed"),
    _text("closes", "local time as 20:00"),
    _text("note", "why", free=True),
    key=("on_date", "channel"),
    day="on_date",
)

ACTIONS = _table(
    "actions",
    "the register of actions",
    _text("action_id", "action", required=True),
    _date("decided_on", "local day it was decided", required=True),
    _date("starts_on", "local day it takes effect"),
    _text("what", "what is done", required=True, free=True),
    _text("owner", "who does it", personal=True),
    _text("kpi", "KPI it is meant to move"),
    _text("level", "level of the unit"),
    _text("unit", "unit it concerns"),
    _number("expected_effect", "expected change, in the unit of the KPI"),
    _text("root_cause", "root cause of complaints that it is meant to end"),
    _text("state", "state", values=("planned", "running", "done", "dropped")),
    key=("action_id",),
    day="decided_on",
)

CONTROL_TOTALS = _table(
    "control_totals",
    "independent counts to reconcile with, such as the switch's daily totals",
    _date("on_date", "local day", required=True),
    _text("channel", "medium", required=True, values=CHANNELS),
    _text("site", "site"),
    _count("n_offered", "contacts offered by this count", required=True),
    key=("on_date", "channel", "site"),
    day="on_date",
)

REPORTS = _table(
    "reports",
    "one row per report of the centre that was due",
    _text("report_id", "report and period", required=True),
    _date("due_on", "local day it was due", required=True),
    _instant("issued_at", "when it was issued; empty means not issued"),
    _flag("gates_passed", "whether every gate let its figures through"),
    key=("report_id",),
    day="due_on",
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        CONTACTS,
        SEGMENTS,
        INTERVALS,
        EVALUATIONS,
        SURVEYS,
        COMPLAINTS,
        BREACHES,
        ESCALATIONS,
        DELEGATIONS,
        AGENTS,
        AGENT_STATES,
        ACTIVITIES,
        REQUIREMENTS,
        COSTS,
        CALENDAR,
        ACTIONS,
        CONTROL_TOTALS,
        REPORTS,
    )
}


def table(name: str) -> Table:
    """Return a contract table by name.

    Raises:
        SettingsError: There is no such table; the nearest name is offered.

    Examples:
        >>> table("contacts").key
        ('contact_id',)
    """
    if name not in TABLES:
        raise SettingsError(f"there is no contract table {name!r}", remedy=nearest(name, list(TABLES)))
    return TABLES[name]
