"""The invented centre that the samples are made of: its teams, people, reasons and planted truths.

Nothing here describes a real person or firm. Every planted date is counted back from the last week, so a
centre of another length or end keeps the truths that fall inside it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from ccanalysis.errors import SettingsError
from ccanalysis.periods import Period

NAME = "Northgate Services"
ZONE = ZoneInfo("Europe/London")
HOLIDAYS = "GB-ENG"
SEED = 20261115
# Chosen so that, with the seed above, nothing listed under "nothing here" signals in the last week by chance.
SALT = 0
LAST = "2026-W46"
WEEKS = 26
CHANNELS = ("voice", "chat", "email")
WEEKLY_VOLUME = {"voice": 1650, "chat": 650, "email": 620}  # over six teams
SERVICE_LEVEL_S = 20
SERVICE_LEVEL_TARGET = 0.80


@dataclass(frozen=True, kw_only=True)
class Team:
    """A team, as the roster, each switch and the chat system write it.

    Attributes:
        name: The team.
        site: Where it sits.
        code: What the telephony of its site calls it.
        line_manager: Who leads it; every name is invented.
    """

    name: str
    site: str
    code: str
    line_manager: str


TEAMS = (
    Team(name="Aire", site="Leeds", code="L1", line_manager="Niamh O'Connor"),
    Team(name="Calder", site="Leeds", code="L2", line_manager="Zoë Whitfield"),
    Team(name="Wharfe", site="Leeds", code="L3", line_manager="Tomasz Kamiński"),
    Team(name="Taff", site="Cardiff", code="410", line_manager="Rhys Llewellyn"),
    Team(name="Ely", site="Cardiff", code="420", line_manager="Amélie Durand"),
    Team(name="Rhymney", site="Cardiff", code="430", line_manager="Seán Brennan"),
)
TEAM_INDEX = {team.name: index for index, team in enumerate(TEAMS)}
SITES = ("Leeds", "Cardiff")

QUEUES = ("Billing", "Account", "Technical")
QUEUE_CODES_LEEDS = ("FAC", "CPT", "TEC")
QUEUE_MIX = (0.45, 0.30, 0.25)
QUEUE_MIX_RHYMNEY = (0.36, 0.24, 0.40)
QUEUE_HANDLE = (0.90, 0.95, 1.45)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A contact reason with the words of each export and how often it comes back.

    Attributes:
        name: As in the contract table.
        queue: Index in `QUEUES`.
        leeds: Code of the telephony in Leeds.
        topic: What the chat system calls it.
        weight: Share within its queue.
        repeat: Chance of another contact about it within a week.
    """

    name: str
    queue: int
    leeds: str
    topic: str
    weight: float
    repeat: float


REASONS = (
    Reason(name="Bill query", queue=0, leeds="BQ", topic="bill", weight=0.50, repeat=0.11),
    Reason(name="Payment", queue=0, leeds="PM", topic="pay", weight=0.30, repeat=0.07),
    Reason(name="Refund", queue=0, leeds="RF", topic="refund", weight=0.20, repeat=0.13),
    Reason(name="Address change", queue=1, leeds="AC", topic="address", weight=0.35, repeat=0.06),
    Reason(name="Tariff change", queue=1, leeds="TC", topic="tariff", weight=0.40, repeat=0.09),
    Reason(name="Cancellation", queue=1, leeds="CN", topic="cancel", weight=0.25, repeat=0.08),
    Reason(name="Fault", queue=2, leeds="FT", topic="fault", weight=0.65, repeat=0.36),
    Reason(name="Appointment", queue=2, leeds="AP", topic="visit", weight=0.35, repeat=0.1),
)
LOW_FCR_REASON = "Fault"

EVALUATORS = ("E01", "E02", "E03", "E04", "E05", "E06")
CRITERIA = (
    ("Opening and identity", 15),
    ("Understanding", 20),
    ("Accuracy", 25),
    ("Tone", 15),
    ("Next steps", 15),
    ("Complaint logged", 10),
)
ROOT_CAUSES = ("Wrong bill", "Long wait", "Late refund", "Missed appointment", "Unclear letter", "Staff attitude")
ROOT_CAUSE_MIX = (0.25, 0.20, 0.18, 0.15, 0.12, 0.10)

# Agents with something planted; everybody else in a team works alike.
SLOW_AGENT = "A014"  # Calder
UNCHECKED_AGENT = "A057"  # Rhymney
SPLITTING_AGENT = "A004"  # Aire
SEVERE_EVALUATOR = "E04"

_FIRST = [
    "Aoife",
    "Bronwen",
    "Chloë",
    "Dafydd",
    "Élodie",
    "Femi",
    "Gethin",
    "Hâf",
    "Ibrahim",
    "Jürgen",
    "Kayleigh",
    "Łukasz",
    "Mairéad",
    "Nerys",
    "Oluwaseun",
    "Priya",
    "Quentin",
    "René",
    "Siân",
    "Tamsin",
    "Ümit",
    "Verity",
    "Wilhelmina",
    "Xanthe",
    "Yusuf",
    "Zahra",
    "Adaeze",
    "Björn",
    "Carys",
    "Declan",
    "Efua",
    "Françoise",
]
_LAST = [
    "O'Brien",
    "Pryce-Jones",
    "D'Arcy",
    "Nuñez",
    "Okafor",
    "Hughes",
    "N'Diaye",
    "Svensson",
    "Ahmed",
    "Cadwallader",
    "O'Shea",
    "Müller",
    "Thwaite",
    "Ellershaw",
    "Ibbotson",
    "Bevan",
    "Kowalczyk",
    "Sørensen",
    "Achebe",
    "Featherstone",
    "MacAulay",
    "Raghunathan",
    "De'Ath",
    "Trelawney",
]


@dataclass(frozen=True)
class Stay:
    """One agent's time in one team.

    Attributes:
        agent: Agent identifier, `A001` and so on.
        name: Surname first; invented.
        team: Index in `TEAMS`.
        role: `Agent` or `Senior agent`.
        employed: First day at the centre.
        start: First day in the team.
        end: Last day in the team; None until further notice.
    """

    agent: str
    name: str
    team: int
    role: str
    employed: date
    start: date
    end: date | None


@dataclass(frozen=True)
class Plan:
    """When what happens at a centre of so many weeks.

    Attributes:
        seed: Of every random stream.
        weeks: The reported weeks, the oldest first.
    """

    seed: int
    weeks: tuple[Period, ...]
    stays: tuple[Stay, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, *, seed: int = SEED, weeks: int = WEEKS, last: str = LAST) -> Plan:
        """Lay out so many weeks up to and with the last.

        Raises:
            SettingsError: `last` is not an ISO week, or there is less than one week.
        """
        final = Period.parse(last)
        if final.kind != "week":
            raise SettingsError(f"the last week {last!r} is not an ISO week", remedy="Give it as 2026-W46")
        if weeks < 1:
            raise SettingsError(f"{weeks} weeks cannot be written", remedy="Give one week or more")
        plan = cls(seed, tuple(final.back(weeks)))
        return cls(seed, plan.weeks, _stays(plan))

    def stream(self, *names: str | int) -> np.random.Generator:
        """Return the random stream of a name; each is independent of all others."""
        key = [SALT, *(zlib.crc32(str(name).encode()) for name in names)]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def back(self, weeks: int, day: int = 0) -> date:
        """Return a day so many weeks before the last, counted from its Monday."""
        return self.weeks[-1].start + timedelta(days=day - 7 * weeks)

    @property
    def first_day(self) -> date:
        """The first reported day."""
        return self.weeks[0].start

    @property
    def end(self) -> date:
        """The first day after the last week."""
        return self.weeks[-1].end

    @property
    def extracted(self) -> datetime:
        """When every export was drawn: the Monday after, 06:00 local time, without a zone."""
        return datetime(self.end.year, self.end.month, self.end.day, 6)  # noqa: DTZ001  wall clock of the centre

    # Planted dates.
    @property
    def fix_on(self) -> date:
        """Late refunds are said to be fixed."""
        return self.back(16)

    @property
    def broken_week(self) -> Period:
        """The week whose exports are broken."""
        return self.weeks[-1].shift(-13)

    @property
    def missing_days(self) -> tuple[date, date]:
        """The two days that the calls of Cardiff lack."""
        return self.back(13, 1), self.back(13, 2)

    @property
    def routing_from(self) -> date:
        """A routing change lets transfers fall everywhere."""
        return self.back(12)

    @property
    def coached_from(self) -> date:
        """The coaching of Calder takes effect."""
        return self.back(10)

    @property
    def recurs_from(self) -> date:
        """Late refunds are back."""
        return self.back(9)

    @property
    def faster_from(self) -> date:
        """Taff handles contacts faster."""
        return self.back(8)

    @property
    def requirement_from(self) -> date:
        """The charges statement must be read in account calls."""
        return self.back(5)

    @property
    def appointments_from(self) -> date:
        """Customers write of missed appointments more often."""
        return self.back(3)

    @property
    def app_from(self) -> date:
        """Customers cannot log in to the new app, and write of it."""
        return self.back(2)

    @property
    def worse_from(self) -> date:
        """Rhymney answers fewer calls in time."""
        return self.back(3)


def _stays(plan: Plan) -> tuple[Stay, ...]:
    """Sixty agents in six teams, with joiners, leavers and movers in the middle of weeks."""
    rng = plan.stream("people")
    names = [f"{last}, {first}" for last in _LAST for first in _FIRST]
    picked = [names[index] for index in rng.permutation(len(names))[:64]]
    old = [plan.back(26) - timedelta(days=int(days)) for days in rng.integers(90, 3600, 64)]
    moves = {"A015": (plan.back(17, 2), 2), "A037": (plan.back(11, 3), 5), "A022": (plan.back(4, 1), 0)}
    leaves = {"A009": plan.back(15, 2), "A048": plan.back(7, 4)}
    joins = {"A061": (plan.back(14), 0), "A062": (plan.back(6, 1), 4), "A063": (plan.back(19, 3), 3)}
    stays: list[Stay] = []
    for number in range(1, 64):
        agent, name = f"A{number:03d}", picked[number]
        role = "Senior agent" if number % 10 == 1 and number < 61 else "Agent"
        if agent in joins:
            start, team = joins[agent]
            stays.append(Stay(agent, name, team, role, start, start, None))
            continue
        team, end = (number - 1) // 10, leaves.get(agent)
        if agent in moves:
            moved, target = moves[agent]
            stays.append(Stay(agent, name, team, role, old[number], old[number], moved - timedelta(days=1)))
            stays.append(Stay(agent, name, target, role, old[number], moved, None))
        else:
            stays.append(Stay(agent, name, team, role, old[number], old[number], end))
    return tuple(stays)
