"""Write the reference pages from what the code says of itself: help texts, contracts, catalogue, suites, docstrings.

`python tasks.py docs` (or `make docs`) writes them; with `--check` nothing is written and the pages that are out of
date are named. The same code gives the same bytes.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ccanalysis import cli, contracts, errors, outgoing, vendors, workspace
from ccanalysis.kpis import measures, published, register, sides
from ccanalysis.sources import rules

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
SOURCE = ROOT / "src" / "ccanalysis"
NOTE = "<!-- Written by docs/write_reference.py; change the code, then run `make docs`. -->\n"
# Modules that others of the package call and nobody else; their docstrings are read in the code.
INTERNAL = frozenset(
    {
        "ccanalysis.cli",
        "ccanalysis.reports.inprocess",
        "ccanalysis.reports.kernel",
        "ccanalysis.reports.worker",
        "ccanalysis.reports.zygote",
    }
)
KIND_WORDS = {
    "share": "share of rows",
    "mean": "sum per row",
    "rate": "events per thousand",
    "ratio": "ratio of two sums",
    "percentile": "percentile",
}


def cell(text: object) -> str:
    """Return a text as the cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def code(text: object) -> str:
    """Return a text set as code, or nothing for an empty one."""
    return f"`{text}`" if str(text) else ""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines) + "\n"


def page(title: str, lead: str, *parts: str) -> str:
    """Return a whole page."""
    return "\n".join([NOTE, f"# {title}\n", textwrap.fill(lead, 120) + "\n", *parts]).rstrip() + "\n"


# --- docstrings -----------------------------------------------------------------------------------------------------

HEADINGS = ("Args", "Attributes", "Returns", "Raises", "Yields", "Examples", "Source", "Note")


def sections(doc: str) -> dict[str, str]:
    """Split a docstring into its headed parts; what comes before the first heading is under the empty name."""
    parts: dict[str, list[str]] = {"": []}
    name = ""
    for line in inspect.cleandoc(doc).splitlines():
        if (match := re.fullmatch(r"(\w+):", line)) and match[1] in HEADINGS:
            name = match[1]
            parts[name] = []
        else:
            parts[name].append(line)
    return {key: inspect.cleandoc("\n".join(lines)).strip() for key, lines in parts.items()}


def entries(text: str) -> dict[str, str]:
    """Read `name: text` entries, each with its indented further lines."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if match := re.match(r"(\*{0,2}\w[\w, *]*):\s+(.*)", line):
            name = match[1]
            found[name] = [match[2]]
        elif name:
            found[name].append(line.strip())
    return {key: " ".join(lines).strip() for key, lines in found.items()}


def attributes(kind: type) -> dict[str, str]:
    """Return what a class says of its attributes."""
    return entries(sections(kind.__doc__ or "").get("Attributes", ""))


def prose(text: str) -> str:
    """Return a paragraph of a docstring as Markdown: code stays as it is written."""
    return text.strip()


def described(doc: str) -> Iterator[str]:
    """Write a docstring as Markdown."""
    for name, text in sections(doc).items():
        if not text:
            continue
        if name == "":
            yield prose(text) + "\n"
        elif name in ("Args", "Attributes", "Raises") and entries(text):
            yield f"{name}:\n"
            yield "\n".join(f"- `{key}`: {said}" for key, said in entries(text).items()) + "\n"
        elif name == "Examples":
            fence = "pycon" if ">>>" in text else "python fragment"
            yield f"```{fence}\n{text}\n```\n"
        else:
            yield f"{name}: {prose(text)}\n"


# --- the command line -----------------------------------------------------------------------------------------------


def _option(action: argparse.Action) -> tuple[str, str]:
    name = ", ".join(action.option_strings) or (action.metavar if isinstance(action.metavar, str) else action.dest)
    if action.option_strings and action.nargs != 0:
        value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
        name += f" {value}"
    about = (action.help or "").strip()
    if action.choices and isinstance(action.default, str) and "default" not in about:
        about += f" (default: {action.default})"
    elif isinstance(action.default, float) and "default" not in about:
        about += f" (default: {action.default:g})"
    return code(name), about


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of a parser by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def cli_page() -> str:
    """Write the page of commands, from the parser's own help."""
    parser = cli._parser()
    parts = [
        "Results go to standard output, progress and errors to standard error. Every command takes `--help`.\n",
        table(
            ["Command", "What it does"],
            [
                [f"[`{name}`](#ccanalysis-{name})", (sub.description or "").rstrip(".")]
                for name, sub in subcommands(parser).items()
            ],
        ),
        "## Exit codes\n",
        "The same for every command.\n",
        table(["Code", "Meaning"], re.findall(r"^\s+(\d+)\s+(.+)$", parser.epilog or "", flags=re.M)),
        "A run that a signal ends has 128 and the signal's number: 130 after Ctrl+C, 143 after `SIGTERM`.\n",
    ]
    for name, sub in subcommands(parser).items():
        shown = [_option(action) for action in sub._actions if not isinstance(action, argparse._HelpAction)]
        examples = (sub.epilog or "").partition("exit codes:")[0].partition("examples:")[2]
        parts += [f"## ccanalysis {name}\n", f"{sub.description}\n", table(["Argument", "Meaning"], shown)]
        if examples.strip():
            parts.append(f"```sh\n{textwrap.dedent(examples.strip(chr(10))).strip()}\n```\n")
    return page("Commands", parser.description or "", *parts)


# --- settings -------------------------------------------------------------------------------------------------------

# Section of the settings file -> the class that holds it, and keys written otherwise than its attributes.
SETTINGS: tuple[tuple[str, type, dict[str, str], str], ...] = (
    ("[centre]", workspace.Centre, {"opening": "opening_hours"}, "The centre itself. Required."),
    (
        "[[sources]]",
        workspace.Source,
        {},
        "One family of export files and the contract table it fills. Repeat the section for each export; several "
        "sources may fill one table. At least one fills `contacts` or `intervals`.",
    ),
    (
        "[sources.columns]",
        workspace.FieldMapping,
        {"columns": "column"},
        'How one contract column is filled: `column_name = "Export name"` where nothing more is to be said, else '
        '`column_name = { column = "Export name", .. }` with these keys.',
    ),
    (
        "agrees_with = { .. }",
        workspace.SecondClock,
        {"columns": "column"},
        "Inside the mapping of a time: another column that tells the same time, and with which it must agree.",
    ),
    (
        "[run]",
        workspace.Workspace,
        {"frequency": "frequency", "baseline_periods": "baseline_periods"},
        "What a run looks at where the command line does not say.",
    ),
    (
        "[privacy]",
        workspace.Workspace,
        {"free_text": "free_text"},
        "What is kept that people wrote in their own words.",
    ),
    (
        "[[overrides]]",
        workspace.Override,
        {"starts_on": "from", "ends_on": "until", "expires_on": "expires"},
        "A decision to have figures judged although their data are not fit, with name, reason and expiry. It stands "
        "with every figure that it lets be judged. `kpi` or `rule`; `period`, or `from` and `until`.",
    ),
    (
        "[engine]",
        workspace.EngineChoice,
        {},
        "Where the contract tables lie while they are counted. Not given, they are files that `[[sources]]` fill; "
        "see [scale](../scale.md).",
    ),
    ("[[reports]]", workspace.ReportPlan, {}, "What a run makes; not given, the four notebooks of the project."),
    (
        "[delivery]",
        outgoing.Delivery,
        {},
        "The mail server and what a mail is; see [Deliver by mail](../how-to/deliver-by-mail.md).",
    ),
    ("[[recipients]]", outgoing.Recipient, {}, "Who is sent which reports. Repeat the section for each."),
    (
        "[recipients.reports]",
        outgoing.Rule,
        {},
        'One of the reports of a recipient, mostly written on one line: `reports = [{ audience = "team", unit = '
        '"Billing" }]`.',
    ),
    (
        "[retention]",
        outgoing.Retention,
        {},
        "How many days files are kept; `ccanalysis purge` removes what is older. What is not given is kept.",
    ),
)
NOT_SETTINGS = {("Source", "line"), ("Source", "left_out"), ("Override", "line")}
MORE_SETTINGS = """\
## `[centre.opening_hours.CHANNEL]`

Opening hours of one channel in the centre's local time: a key per day (`mon` .. `sun`, `weekdays` for Monday to Friday,
`holiday` for bank holidays) with `"08:00-20:00"` or `"closed"`. A day on which the centre was open and that has no rows
is missing data, not zero. A channel without hours is judged by its own usual weekdays.

## `[paths.NAME]`

A folder outside the workspace, for `files = "{NAME}/..."`: `default` (relative to the workspace) and, if it differs
between machines, `env`, the name of an environment variable that holds it.

## `[tables.TABLE.columns.COLUMN]`

A column of the centre's own, for {extensible}: `type` (`integer`, `number` or `text`), `about`, and the range
`low` to `high` (`low` is 0 where not given).

## `[unit_names]`

What the centre calls a level, as `team = "provider"`; it is used on every page.
"""


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required" if field.default_factory is dataclasses.MISSING else ""
    value = field.default
    if value in (None, "", (), 0) and not isinstance(value, bool):
        return ""
    return code(json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, default=str))


def _spelled(text: str) -> str:
    """Put the allowed values in the place of the constant that holds them."""
    return text.replace("one of `UNITS`", ", ".join(map(code, workspace.UNITS)))


def settings_page() -> str:
    """Write the page of `ccanalysis.toml`."""
    parts = []
    for heading, kind, names, lead in SETTINGS:
        said = attributes(kind)
        chosen = [f for f in dataclasses.fields(kind) if (kind.__name__, f.name) not in NOT_SETTINGS]
        if kind is workspace.Workspace:
            chosen = [f for f in chosen if f.name in names]
        rows = [[code(names.get(f.name, f.name)), _default(f), _spelled(said.get(f.name, ""))] for f in chosen]
        parts += [f"## `{heading}`\n", f"{lead}\n", table(["Key", "Default", "Meaning"], rows)]
    own = [code(name) for name, kept in contracts.TABLES.items() if kept.extensible]
    parts.append(MORE_SETTINGS.replace("{extensible}", " and ".join(own)))
    lead = (
        "Everything about a centre stands in ccanalysis.toml. A key that is not known, a value of another type or a "
        "name that does not exist ends a command with exit code 2 and names the line; nothing is guessed."
    )
    return page("Settings: ccanalysis.toml", lead, *parts)


# --- tables, measures, register, rules, errors ----------------------------------------------------------------------

TYPE_WORDS = {
    "text": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "instant": "instant (UTC)",
    "date": "local day",
}


def _range(column: contracts.Column) -> str:
    if column.values:
        return ", ".join(code(value) for value in column.values)
    if column.low is None and column.high is None:
        return ""
    low = "" if column.low is None else f"{column.low:g}"
    high = "" if column.high is None else f"{column.high:,.0f}"
    return f"{low} to {high}" if low and high else f"{low} or more" if low else f"up to {high}"


def _marks(column: contracts.Column) -> str:
    marks = ["required"] * column.required + ["personal"] * column.personal + ["filled by staging"] * column.derived
    return ", ".join(marks)


def tables_page() -> str:
    """Write the page of contract tables."""
    listed = [[f"[`{name}`](#{name})", kept.about] for name, kept in contracts.TABLES.items()]
    parts = [table(["Table", "What it holds"], listed)]
    for name, kept in contracts.TABLES.items():
        when = kept.instant or kept.day
        key = ", ".join(map(code, kept.key))
        about = f"{kept.about[0].upper()}{kept.about[1:]}. Key: {key}. Placed in time by `{when}`."
        if kept.updated:
            about += f" Of rows with one key the one with the latest `{kept.updated}` holds."
        if kept.extensible:
            about += " A workspace may add counts and sums of its own."
        rows = [[code(c.name), TYPE_WORDS[c.type], _range(c), _marks(c), c.about] for c in kept.columns]
        if kept.texts:
            words = "; ".join(f"{code(c.name)}, {c.about}" for c in kept.texts)
            about += f" Free text, kept apart and only where `[privacy]` asks for it: {words}."
        parts += [f"## {name}\n", f"{about}\n", table(["Column", "Type", "Allowed", "", "Meaning"], rows)]
    lead = (
        "Sources turn exports into these tables; everything behind them trusts names, units and types. Times are UTC "
        "instants, durations whole seconds (`_s`), `_date` and `_on` local days of the centre, `n_` counts, `_share` 0 "
        "to 1. Only `contacts` or `intervals` is needed; what is absent is said in the reports. Rows that break a "
        "contract go to quarantine with file, row and reason."
    )
    return page("Contract tables", lead, *parts)


def _side(side: measures.Side) -> str:
    what = f"sum of `{side.of}`" if side.of else "rows"
    where = "" if side.where == "true" else f" where `{side.where}`"
    placed = f", by `{side.by}`" if side.by else ""
    placed += f", counted {side.later_days} days later" if side.later_days else ""
    placed += f", open at the end of the period by `{side.open_until}`" if side.open_until else ""
    return f"{what} of `{side.table}`{where}{placed}".replace("rows of", "rows in")


def _published() -> str:
    """Write the table of the KPIs that the field publishes."""
    rows = []
    for kpi in published.PUBLISHED:
        found = []
        for name, given in kpi.measures:
            values = ", ".join(f"{key}: {value}" for key, value in given.items())
            found.append(f"[`{name}`](#{name})" + (f" ({values})" if values else ""))
        found += [f"`ccanalysis.{path}`" for path in kpi.instead]
        sources = sorted({measure.source for measure in kpi.made()})
        rows.append([kpi.number, kpi.name, "; ".join(found), "; ".join(filter(None, [*sources, kpi.notes]))])
    return table(["KPI", "Name", "Measured by", "Source"], rows)


def _mapped(given: Any) -> str:
    """Say where a column of a vendor's mapping comes from."""
    if isinstance(given, str):
        return code(given)
    if "value" in given:
        return f"always {code(given['value'])}"
    columns = given["column"] if isinstance(given["column"], list) else [given["column"]]
    said = " and ".join(map(code, columns))
    said += f", written {code(given['format'])}" if "format" in given else ""
    said += f", in {code(given['unit'])}" if "unit" in given else ""
    if "codes" in given:
        said += ": " + ", ".join(f"{code(raw)} is {code(value)}" for raw, value in given["codes"].items())
    return said


def vendors_page() -> str:
    """Write the page of vendors' formats."""
    forms = vendors.FORMATS.values()
    listed = [[f"[`{f.name}`](#{f.name.replace('.', '')})", f.title, ", ".join(map(code, f.tables))] for f in forms]
    parts = [table(["Format", "What it is", "Tables"], listed)]
    for form in forms:
        facts = [
            ["File", form.written],
            ["Durations", form.units],
            ["Times", form.clock],
            ["Key", form.key],
            ["Delivery", form.delivery],
            ["Known by", ", ".join(map(code, form.marks)) or "the form of its first line"],
            ["Must be declared", "; ".join(f"{code(name)}: {why}" for name, why in form.ask.items())],
            ["Dropped at the door", ", ".join(map(code, form.personal))],
            ["Published", form.published],
        ]
        parts += [f"## {form.name}\n", f"{form.title}.\n", table(["", ""], [fact for fact in facts if fact[1]])]
        parts.append("".join(f"- {trap}\n" for trap in form.traps))
        for name, mapping in form.tables.items():
            rows = [[code(column), _mapped(given)] for column, given in tomllib.loads(mapping).items()]
            others = [c for c in form.header[name] if f'"{c}"' not in mapping]
            parts += [f"### {form.name}: {name}\n", table(["Column", "From"], rows)]
            parts += ["A mapping may also name: " + ", ".join(map(code, others)) + ".\n"] if others else []
    lead = (
        "The export formats that a source may name with `vendor`. Each brings its mapping; columns of the source take "
        "the place of the vendor's, codes are added to them. See [Read a vendor's "
        "export](../how-to/read-a-vendor-export.md)."
    )
    return page("Vendors' formats", lead, *parts)


def measures_page() -> str:
    """Write the page of the catalogue of measures."""
    error = f"{sides.COARSE_ERROR:.2%}".replace("%", " %")
    parts = [
        "## KPIs that the field publishes\n",
        "Each with the measures that give it, or, where it is no ratio of two sums, the function that does.\n",
        _published(),
        "## Columns that the query adds\n",
        "Some measures read what no single row tells. These columns may be named in a measure of one's own; a clock, "
        "such as `business_days_between(received_at, closed_at)`, takes the centre's zone, holidays and opening "
        "hours.\n",
        table(
            ["Table", "Column", "Meaning"],
            [
                [code(name), code(one.column.name), one.column.about]
                for name, listed in sides.DERIVED.items()
                for one in listed.values()
            ]
            + [["any stock", code(sides.AGE.column.name), sides.AGE.column.about]],
        ),
    ]
    for name, function in measures.CATALOGUE.items():
        parameters = inspect.signature(function).parameters
        measure = function()
        said = entries(sections(function.__doc__ or "").get("Args", ""))
        rows = [["Counts", measure.about]]
        rows += [["Above the line", _side(measure.numerator)], ["Below the line", _side(measure.denominator)]]
        rows += [["Censored", _side(measure.censored)]] if measure.censored else []
        rows += [["Unit", f"`{measure.unit}` ({KIND_WORDS.get(measure.kind, measure.kind)})"]]
        if measure.kind == "percentile":
            exact = "exact to the whole second"
            rows += [["Error", exact if measure.bins == "exact" else f"at most {error} of the value, none below 128 s"]]
        rows += [["Better", {"up": "more", "down": "less", "within": "within a band"}[measure.better]]]
        if measure.settle_days:
            rows.append(["Settles", f"{measure.settle_days} days after the period; provisional until then"])
        rows += [["Needs", ", ".join(map(code, measure.needs))]] if measure.needs else []
        rows += [["Never for", ", ".join(map(code, measure.not_for))]] if measure.not_for else []
        rows += [["Left out", measure.excluded]] if measure.excluded else []
        rows += [["Mind", measure.trap]] if measure.trap else []
        rows.append(["Source", measure.source])
        first = sections(function.__doc__ or "").get("", "").splitlines()[0]
        parts += [f"## {name}\n", f"{first}\n", table(["", ""], rows)]
        if parameters:
            listed = [[code(key), code(json.dumps(p.default)), said.get(key, "")] for key, p in parameters.items()]
            parts.append(table(["Parameter", "Default", "Meaning"], listed))
    lead = (
        "The measures that a KPI of the register may name, as `measure: aht` or `measure: {name: service_level, "
        "threshold_s: 20}`. Each is shown with its default parameters. Both sides are summed over the finest grain and "
        "then divided, so a figure adds up over any grouping and nothing averages rates. A measure whose table or "
        "needed column no export fills gives no figure, never nought. Measures of one's own are written in the same "
        "language, see [Write a KPI](../how-to/write-a-kpi.md)."
    )
    return page("Catalogue of measures", lead, *parts)


SIDE_WORDS = "each `{count: CONDITION}` or `{sum: EXPRESSION, where: CONDITION}`, with `table` if they differ"
TOLERANCE_WORDS = "a number in the unit of the KPI, or `{absolute: 0.02}`, or `{relative: 0.1}` of the team's target"


def register_page() -> str:
    """Write the page of `kpis.yml`."""
    said = attributes(register.Kpi)
    rows = [
        [code(name), "required" if name in register._REQUIRED else "", said.get(name, "")]
        for name in (*register._REQUIRED, *register._OPTIONAL)
    ]
    targets = {"from" if key == "since" else key: text for key, text in attributes(register.Target).items()}
    targets["tolerance"] = TOLERANCE_WORDS
    approval = attributes(register.Approval)
    said_of = {"from" if key == "since" else key: text for key, text in attributes(register.Definition).items()}
    definition = {key: said_of[key] for key in register._DEFINITION}
    own = [
        ["`kind`", "`share` (default), `mean`, `rate` or `ratio`"],
        ["`unit`", f"`share` (default), {', '.join(code(unit) for unit in register._UNITS[1:])}"],
        ["`about`", "what is counted, in words; the KPI's name where not given"],
        ["`table`", "the contract table of both sides; `contacts` where not given"],
        ["`numerator`, `denominator`", SIDE_WORDS],
        ["`by`", "the time or day that places a row in a period, where it is not the table's own: `closed_at`"],
        ["`open_until`", "for a stock: the time at which a row ceased to be open; `age_days` says for how long"],
        ["`source`", "where the definition comes from"],
    ]
    parts = [
        "```yaml fragment\nversion: 1\nkpis:\n  - id: ..\n```\n",
        "## Fields of a KPI\n",
        table(["Field", "", "Meaning"], rows),
        "## `targets`\n",
        "A list of dated targets. A period is judged by the target in force on its last day.\n",
        table(["Field", "Meaning"], [[code(key), text] for key, text in targets.items()]),
        "## `definitions`\n",
        "A list of dated changes of what is measured; `measure` and `population` above are the first definition. Each "
        "period is counted under the definition in force on its last day, and limits begin anew where it changed.\n",
        table(["Field", "Meaning"], [[code(key), text] for key, text in definition.items()]),
        "## `approval`\n",
        "A table, or a list of them where a KPI was approved more than once: each holds for its own days.\n",
        table(["Field", "Meaning"], [[code(key), text] for key, text in approval.items()]),
        "## `rebase`\n",
        "A list of days from which limits are calculated anew, each with its reason: `{on: 2026-03-02, why: new "
        "telephone system}`.\n",
        "## `measure`: one of the catalogue, or one of your own\n",
        "The name of a [measure of the catalogue](measures.md), or `{name: .., PARAMETER: ..}`, or a table of:\n",
        table(["Field", "Meaning"], own),
        'Or `{python: "my_measures.py:quick", PARAMETER: ..}`: a function in a file beside the register that returns '
        "a `Measure`. It makes the measure and never sees a row.\n",
        "## Levels\n",
        "A KPI is judged at the levels it names: " + ", ".join(code(level) for level in register.LEVELS) + ".\n",
        "## The language of measures and populations\n",
        "Conditions and sums over contract columns: columns, numbers, `'texts'`, `true`, `false`, `and`, `or`, `not`, "
        "comparisons, `in (..)`, `between .. and ..`, `is null`, `+ - *`, `case when .. then .. end`, `coalesce(a, b)` "
        "and the clocks: `seconds_between(earlier, later)`; `days_between` in local days; `business_days_between`, "
        "optionally with a nation, as `business_days_between(received_at, closed_at, 'GB-SCT')`: a day that is none "
        "counts with the next one; `business_day(time)`; `open_seconds_between` in the channel's opening hours. There "
        "is no division: a ratio is declared as two sums. An expression "
        "is parsed, held against a list of what is allowed and rebuilt; no text of yours becomes part of a query.\n",
    ]
    lead = (
        "The register says what is measured, why, against which target, who approved it and what follows from a miss. "
        "A field that is missing, unknown or cannot be measured ends a command with exit code 2 and names the line."
    )
    return page("The KPI register: kpis.yml", lead, *parts)


def rules_page() -> str:
    """Write the page of the rules that the project's suites hold every table against."""
    parts = [
        table(
            ["Severity", "What a failure does to the figures it concerns"],
            [["block", "not fit: no verdict is given"], ["caution", "shown with a mark"], ["note", "said, no more"]],
        )
    ]
    for path in sorted((ROOT / "expectations").glob("*.json")):
        suite = json.loads(path.read_text(encoding="utf-8"))
        rows = []
        for expectation in suite["expectations"]:
            meta = expectation["meta"]
            rows.append(
                [
                    code(meta["id"].partition(".")[2]),
                    meta.get("on", "rows"),
                    meta["verdict"],
                    meta["dimension"],
                    meta["severity"],
                    meta["about"],
                    meta["remedy"],
                ]
            )
        about = suite.get("meta", {}).get("about", "")
        parts += [f"## {suite['name']}\n", f"{about}.\n" if about else ""]
        head = ["Rule", "Looks at", "Verdict", "Dimension", "Severity", "What is wrong", "What to do"]
        parts.append(table(head, rows))
    lead = (
        "What the suites in expectations/ hold every table against. *Accuracy* asks whether the data are right, "
        "*suitability* whether they are fit for the question asked of them. A rule concerns every KPI that reads one "
        "of its columns. See [How checks decide](../explanation/checks.md) and [Add a rule](../how-to/add-a-rule.md)."
    )
    return page("Rules", lead, *parts)


def errors_page() -> str:
    """Write the page of errors and of the reasons of quarantine."""
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.CcanalysisError) and kind is not errors.CcanalysisError
    ]
    rows = [[code(kind.__name__), int(kind.exit_code), (kind.__doc__ or "").strip()] for kind in kinds]
    reasons = [
        [code(name), text.format(name="a column", origin="", detail="..")] for name, text in rules.REASONS.items()
    ]
    parts = [
        "```text\nccanalysis: PLACE: PROBLEM. REMEDY.\n```\n",
        "It names files, columns, settings, counts and row numbers, never what a cell held: that is people's data. "
        "Rows of an export are counted with the header as row 1.\n",
        "## Errors\n",
        table(["Class", "Exit code", "When"], rows),
        "From Python all of them are `ccanalysis.errors.CcanalysisError` with `place`, `problem` and `remedy`.\n",
        "## Why a row is in quarantine\n",
        "A row that breaks the contract of its table is not counted and not lost: it is listed with its file, its row, "
        "the column and the reason.\n",
        table(["Rule", "Reason"], reasons),
    ]
    lead = "What ends a command names the place, what was found, and what to do."
    return page("Errors", lead, *parts)


# --- Python ---------------------------------------------------------------------------------------------------------


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def listed_names(tree: ast.Module) -> list[str] | None:
    """Return what a module's `__all__` lists, or None where it has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return None


def public_modules() -> dict[str, Path]:
    """Return the documented modules: of a package that lists its names, the package alone."""
    found: dict[str, Path] = {}
    closed: list[str] = []
    for path in sorted(SOURCE.rglob("*.py"), key=lambda p: (p.parent.as_posix(), p.name != "__init__.py", p.name)):
        name = module_name(path)
        if name in INTERNAL or any(part.startswith("_") for part in name.split(".")):
            continue
        if any(name.startswith(f"{package}.") for package in closed):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.name == "__init__.py":
            if listed_names(tree) is None:
                continue
            closed.append(name)
        found[name] = path
    order = {layer: position for position, layer in enumerate(layers())}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0].split(".")[1], 99), item[0])))


def layers() -> list[str]:
    """Return the top-level modules in the order of their imports, as the layout's test keeps it."""
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "ORDER":
            return list(ast.literal_eval(node.value))
    return []


Definition = ast.FunctionDef | ast.ClassDef


def definitions(path: Path) -> Iterator[Definition]:
    """Yield the public functions and classes of a module, those that a package lists from where they are defined."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names = listed_names(tree)
    if names is None:
        yield from (node for name, node in own.items() if not name.startswith("_"))
        return
    origins = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for name in names:
        if name in own:
            yield own[name]
        elif name in origins:
            module, original = origins[name]
            there = SOURCE.parent.joinpath(*module.split(".")).with_suffix(".py")
            if there.is_file():
                inner = ast.parse(there.read_text(encoding="utf-8"))
                yield from (
                    node
                    for node in inner.body
                    if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == original
                )


def signature(node: ast.FunctionDef, *, method: bool = False) -> str:
    """Return a function's signature as it would be written, one argument a line where it is long."""
    arguments = node.args
    if method and arguments.args and arguments.args[0].arg in ("self", "cls"):
        arguments = ast.arguments(
            posonlyargs=arguments.posonlyargs,
            args=arguments.args[1:],
            vararg=arguments.vararg,
            kwonlyargs=arguments.kwonlyargs,
            kw_defaults=arguments.kw_defaults,
            kwarg=arguments.kwarg,
            defaults=arguments.defaults,
        )
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    flat = f"{node.name}({ast.unparse(arguments)}){returns}"
    if len(flat) <= 100:
        return flat
    listed = ast.unparse(arguments)
    return f"{node.name}(\n    {_broken(listed)}\n){returns}"


def _broken(arguments: str) -> str:
    """Put each argument on a line of its own."""
    lines, depth, quote = [""], 0, ""
    for character in arguments:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        if character == "," and depth == 0 and not quote:
            lines[-1] += ","
            lines.append("")
        else:
            lines[-1] += character
    return "\n    ".join(line.strip() for line in lines)


def _decorators(node: Definition) -> set[str]:
    return {ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list}


def _write_class(node: ast.ClassDef) -> Iterator[str]:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    yield f"## {node.name}\n"
    yield f"```python fragment\nclass {node.name}{f'({bases})' if bases else ''}\n```\n"
    yield from described(ast.get_docstring(node) or "")
    for method in node.body:
        if not isinstance(method, ast.FunctionDef) or method.name.startswith("_") or not ast.get_docstring(method):
            continue
        if {"property", "functools.cached_property"} & _decorators(method):
            yield f"- `{node.name}.{method.name}`: {(ast.get_docstring(method) or '').splitlines()[0]}\n"
        else:
            yield f"### {node.name}.{method.name}\n"
            yield f"```python fragment\n{signature(method, method=True)}\n```\n"
            yield from described(ast.get_docstring(method) or "")


def module_page(name: str, path: Path) -> str:
    """Write the page of one module."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    parts = []
    for node in definitions(path):
        if isinstance(node, ast.ClassDef):
            parts += list(_write_class(node))
        else:
            parts += [f"## {node.name}\n", f"```python fragment\n{signature(node)}\n```\n"]
            parts += list(described(ast.get_docstring(node) or ""))
    head = "\n".join(described(doc))
    return "\n".join([NOTE, f"# {name}\n", head, *parts]).rstrip() + "\n"


def python_pages() -> dict[str, str]:
    """Write an index of the modules and one page for each."""
    pages, rows = {}, []
    for name, path in public_modules().items():
        short = name.removeprefix("ccanalysis.")
        about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0].rstrip(".")
        names = [f"[`{node.name}`](python/{short}.md#{node.name.lower()})" for node in definitions(path)]
        if not names:
            continue
        rows.append([f"[`{short}`](python/{short}.md)", about, ", ".join(names)])
        pages[f"python/{short}.md"] = module_page(name, path)
    lead = (
        "Public names of ccanalysis, module by module, in the order of their imports: a module imports only from those "
        "above it. See [Use from Python](../how-to/use-from-python.md)."
    )
    pages["python-api.md"] = page("Python", lead, table(["Module", "About", "Names"], rows))
    return pages


def pages() -> dict[str, str]:
    """Return every reference page: path below docs/reference -> text."""
    return {
        "cli.md": cli_page(),
        "settings.md": settings_page(),
        "tables.md": tables_page(),
        "vendors.md": vendors_page(),
        "measures.md": measures_page(),
        "register.md": register_page(),
        "rules.md": rules_page(),
        "errors.md": errors_page(),
        **python_pages(),
    }


def outdated(folder: Path) -> list[str]:
    """Return the pages that are missing, differ from what the code says, or are about what is no more."""
    wanted = pages()
    there = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.md")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def main() -> int:
    """Write the pages, or name those that are out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is out of date")
    folder = DOCS / "reference"
    if parser.parse_args().check:
        late = outdated(folder)
        print("\n".join(f"out of date: docs/reference/{name}" for name in late) or "all pages are up to date")
        return 1 if late else 0
    wanted = pages()
    for path in folder.rglob("*.md"):
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    print(f"{len(wanted)} pages written below docs/reference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
