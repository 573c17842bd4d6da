"""The analyst's front door: one figure at a time, with its chart, verdict, data rating, drivers and rows.

In a notebook, `explore.panel(centre)` offers the choices as widgets; three lines of Python give the same:

    from ccanalysis import explore
    centre = explore.open("..")
    centre.look("aht_voice", level="team", unit="Aire")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ccanalysis import sources, text, views
from ccanalysis.disclosure import PERSONAL_LEVELS
from ccanalysis.display import Figure, Note, Table
from ccanalysis.errors import SettingsError, nearest
from ccanalysis.kpis import behind, register
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.results import Results, compute
from ccanalysis.views import common
from ccanalysis.workspace import Workspace

if TYPE_CHECKING:
    import ipywidgets

# How many rows the panel shows.
_SHOWN_ROWS = 20
_APART = "Only figures of the centre and of teams are taken apart."


@dataclass
class Centre:
    """A workspace that is looked at, figure by figure. No figure of a person is offered.

    Attributes:
        workspace: The workspace.
        results: The results of the last whole period.
    """

    workspace: Workspace
    results: Results
    _periods: dict[str, Results] = field(default_factory=dict, repr=False)

    def kpis(self) -> dict[str, str]:
        """Return the KPIs that have a figure: id -> name, in the order of the register."""
        line = self._line()
        names = dict(zip(self.results.kpis["kpi"], self.results.kpis["name"], strict=True))
        return {kpi: name for kpi, name in names.items() if kpi in set(line["kpi"])}

    def levels(self, kpi: str) -> list[str]:
        """Return the levels at which a KPI has figures, from the whole to its parts."""
        self._known(kpi, list(self.kpis()), "KPI")
        line = self._line()
        found = set(line.loc[line["kpi"] == kpi, "level"])
        return [level for level in text.LEVEL_WORDS if level in found]

    def units(self, kpi: str, level: str) -> list[str]:
        """Return the units of a level that a KPI has figures of, in name order."""
        self._known(level, self.levels(kpi), "level")
        line = self._line()
        return sorted(set(line.loc[(line["kpi"] == kpi) & (line["level"] == level), "unit"]))

    def periods(self) -> list[str]:
        """Return the labels of the periods that can be looked at, the last one first."""
        return list(dict.fromkeys(self._line()["period"]))[::-1]

    def look(self, kpi: str, level: str = "centre", unit: str = "", period: str = "") -> Look:
        """Look at one figure.

        Args:
            kpi: The KPI's id, such as `service_level`.
            level: The level, such as `team`.
            unit: The unit; the first in name order where empty.
            period: The period's label; the last whole one where empty. An earlier one is judged as it would have been
                then, which takes a while the first time.

        Raises:
            SettingsError: There is no such KPI, level, unit or period; the nearest is offered.
        """
        units = self.units(kpi, level)
        unit = unit or units[0]
        self._known(unit, units, common.word(self.results, level))
        period = period or self.results.period.label
        self._known(period, self.periods(), "period")
        return Look(self, kpi, level, unit, period)

    def of(self, period: str) -> Results:
        """Return the results of a period, worked out where they are not at hand."""
        if period == self.results.period.label:
            return self.results
        if period not in self._periods:
            self._periods[period] = compute(self.workspace, period)
        return self._periods[period]

    def _line(self) -> pd.DataFrame:
        line = self.results.series
        return line[~line["level"].isin(PERSONAL_LEVELS) & line["value"].notna()]

    @staticmethod
    def _known(name: str, known: list[str], what: str) -> None:
        if name not in known:
            raise SettingsError(f"there is no {what} {name!r} to look at", remedy=nearest(name, known))


def open(workspace: str | Path = "..") -> Centre:
    """Open a workspace to look at.

    Args:
        workspace: Its folder, seen from the notebook.

    Raises:
        CcanalysisError: Its settings or exports cannot be read.
    """
    opened = Workspace.open(workspace)
    return Centre(opened, compute(opened))


@dataclass(frozen=True)
class Look:
    """One figure: a KPI of a unit in a period.

    Attributes:
        centre: Where it is looked at.
        kpi: The KPI's id.
        level: The unit's level.
        unit: The unit.
        period: The period's label.
    """

    centre: Centre
    kpi: str
    level: str
    unit: str
    period: str

    def chart(self) -> Figure | Note:
        """Draw the course, with the usual range and the target."""
        return views.course(self._results, self.kpi, level=self.level, unit=self.unit)

    def verdict(self) -> Table:
        """Show the figure with its interval, target, verdict and course."""
        return views.verdict_table(self._results, level=self.level, units=[self.unit], kpi=self.kpi)

    def rating(self) -> Note:
        """Say how far the data behind the figure can be believed, and why."""
        rated = self._results.ratings
        keys = {"kpi": self.kpi, "level": self.level, "unit": self.unit, "period": self.period}
        own = rated[(rated[list(keys)] == list(keys.values())).all(axis=1)]
        whose = ""
        if own.empty:  # parts that have no rating of their own rest on the centre's
            own = rated[(rated["kpi"] == self.kpi) & (rated["level"] == "centre") & (rated["period"] == self.period)]
            whose = " (as rated for the whole centre)"
        if own.empty:
            return Note(kind="paragraph", text="The data behind this figure were not assessed.")
        row = own.iloc[0]
        words = f"{text.RATING_WORDS[row['rating']]}{whose}."
        return Note(kind="paragraph", text=[words, *(f"{reason.rstrip('.')}." for reason in row["reasons"])])

    def drivers(self) -> Table | Note:
        """Show which parts the figure's gap and its change come from."""
        if self.level not in ("centre", "team"):
            return Note(kind="paragraph", text=_APART)
        return views.driver_table(self._cut(), self.kpi)

    def rows(self, most: int = 1_000) -> pd.DataFrame:
        """Return the rows of the exports that the figure counts, by file and row, without personal data.

        Args:
            most: How many rows at most of each side of the KPI.
        """
        workspace, period = self.centre.workspace, self._results.period
        listed = register.load(workspace.register_path, workspace.tables)
        kpi = next(one for one in listed.kpis if one.id == self.kpi).as_of(period.end - timedelta(days=1))
        return behind.rows_behind(
            sources.stage(workspace).tables,
            kpi,
            period,
            workspace.tables,
            level=self.level,
            unit=self.unit,
            calendar=Calendar.of(workspace.centre),
            most=most,
        )

    def code(self) -> str:
        """Return the Python that looks at this figure, to copy."""
        where = "" if self.level == "centre" else f', level="{self.level}", unit={_written(self.unit)}'
        when = "" if self.period == self.centre.results.period.label else f', period="{self.period}"'
        return "\n".join(
            [
                "from ccanalysis import explore",
                'centre = explore.open("..")',
                f'centre.look("{self.kpi}"{where}{when})',
            ]
        )

    @property
    def _results(self) -> Results:
        return self.centre.of(self.period)

    def _cut(self) -> Results:
        """The results as those of an edition of this unit, with its own verdict and parts alone."""
        whole = self._results
        audience = "team" if self.level == "team" else "centre"
        facts = {**whole.facts, "audience": audience, "unit": self.unit if audience == "team" else ""}
        cut = Results(whole.folder, facts)
        for name in ("verdicts", "drivers", "series"):
            frame = getattr(whole, name)
            if len(frame):
                frame = frame[
                    (frame["kpi"] == self.kpi) & (frame["level"] == self.level) & (frame["unit"] == self.unit)
                ]
            cut.take(name, frame)
        return cut

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415  only in a notebook

        for part in (self.verdict(), self.chart(), self.rating(), self.drivers()):
            display(part)


def _written(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Panel:
    """Widgets that choose a figure and show it; each choice leaves the code that gives the same.

    Args:
        centre: What `open` returned.

    Attributes:
        widget: What a notebook shows.
    """

    def __init__(self, centre: Centre) -> None:
        import ipywidgets as widgets  # noqa: PLC0415  only where a notebook is worked with

        self.centre = centre
        names = [(name, key) for key, name in centre.kpis().items()]
        self.kpi = widgets.Dropdown(options=names, description="KPI")
        self.level, self.unit = widgets.Dropdown(description="Level"), widgets.Dropdown(description="Unit")
        self.period = widgets.Dropdown(options=centre.periods(), description="Period")
        self.drill = widgets.Button(description="Show rows", tooltip="Rows of the exports behind this figure")
        self.code = widgets.Textarea(description="Code", layout=widgets.Layout(width="100%", height="5.5em"))
        self.shown, self.rows = widgets.Output(), widgets.Output()
        self._setting = False
        for chooser in (self.kpi, self.level):
            chooser.observe(self._offer, "value")
        for chooser in (self.unit, self.period):
            chooser.observe(self._show, "value")
        self.drill.on_click(self._list_rows)
        above = [widgets.HBox([self.kpi, self.level]), widgets.HBox([self.unit, self.period])]
        self.widget = widgets.VBox([*above, self.shown, self.drill, self.rows, self.code])
        self._offer()

    def look(self) -> Look:
        """Return what is chosen."""
        return self.centre.look(self.kpi.value, self.level.value, self.unit.value, self.period.value)

    def _offer(self, *_: Any) -> None:
        """Offer the levels and units that the chosen KPI has, keep what still fits, and look."""
        if self._setting:
            return
        self._setting = True
        try:
            levels = self.centre.levels(self.kpi.value)
            level = self.level.value if self.level.value in levels else levels[0]
            self.level.options = [(common.word(self.centre.results, one).capitalize(), one) for one in levels]
            self.level.value = level
            units = self.centre.units(self.kpi.value, level)
            unit = self.unit.value if self.unit.value in units else units[0]
            self.unit.options, self.unit.value = units, unit
        finally:
            self._setting = False
        self._show()

    def _show(self, *_: Any) -> None:
        """Show what is chosen."""
        if self._setting:
            return
        from IPython.display import display  # noqa: PLC0415

        look = self.look()
        self.rows.clear_output()
        self.shown.clear_output(wait=True)
        with self.shown:
            display(look)
        self.code.value = look.code()

    def _list_rows(self, *_: Any) -> None:
        """Show the first rows behind what is chosen."""
        from IPython.display import display  # noqa: PLC0415

        look = self.look()
        found = look.rows()
        first = found.head(_SHOWN_ROWS).astype(object)
        self.code.value = f"{look.code()}.rows()"
        self.rows.clear_output(wait=True)
        with self.rows:
            display(Table.from_frame(first.where(first.notna(), "").map(str), caption=_told(found)))


def panel(centre: Centre) -> ipywidgets.Widget:
    """Return widgets that choose a figure and show it.

    Args:
        centre: What `open` returned.
    """
    return Panel(centre).widget


def _told(found: pd.DataFrame) -> str:
    """Say how many rows there are on each side, and how many of them are shown."""
    counts = found["side"].value_counts()
    sides = [f"{text.number(counts[side])} {side}" for side in behind.SIDES.values() if side in counts]
    first = f"; the first {_SHOWN_ROWS} are shown" if len(found) > _SHOWN_ROWS else ""
    return f"Rows behind the figure: {text.listed(sides) or 'none'}{first}"
