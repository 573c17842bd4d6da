"""Suites: what is expected of each table, read from plain JSON and checked before anything runs.

A suite is Great Expectations' own format. Each expectation carries in `meta` what the gate needs to know: whether
it speaks of accuracy (is it right?) or suitability (is it fit for this question?), how grave a failure is, which
columns or KPIs it concerns and what to do about it. A key that nobody reads is refused, not ignored.

Source:
    Dimensions: The Government Data Quality Framework, 2020, and DAMA (UK): completeness, uniqueness, consistency,
    timeliness, validity, accuracy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccanalysis.checks import over_time
from ccanalysis.checks.batches import FIGURES, ONS, columns_of, needs_of, ons_of
from ccanalysis.contracts import Column, Table
from ccanalysis.errors import SettingsError, nearest
from ccanalysis.imports import skip_slow_import

DIMENSIONS = ("accuracy", "completeness", "uniqueness", "consistency", "timeliness", "validity")
VERDICTS = ("accuracy", "suitability")
SEVERITIES = {"block": "critical", "caution": "warning", "note": "info"}
PARAMETERS = ("as_of", "as_of_date", "period_start", "period_end", *over_time.PARAMETERS)
IGNORE_PAIR = ("both_values_are_missing", "either_value_is_missing")
IGNORE_KEY = ("all_values_are_missing", "any_value_is_missing")

_BOUND = {
    "anyOf": [
        {"type": ["number", "string", "null"]},
        {
            "type": "object",
            "properties": {"$PARAMETER": {"enum": list(PARAMETERS)}},
            "required": ["$PARAMETER"],
            "additionalProperties": False,
        },
    ]
}
_CONDITION = {"type": "object", "required": ["type"]}
_BOUNDS = {
    "min_value": _BOUND,
    "max_value": _BOUND,
    "strict_min": {"type": "boolean"},
    "strict_max": {"type": "boolean"},
}
_MOSTLY = {"mostly": {"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "row_condition": _CONDITION}
_NAME = {"type": "string", "minLength": 1}


def _kwargs(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


# What each expectation takes. Those on rows can list the rows that fail; the others look at one value of them all.
ROW_TYPES: dict[str, dict[str, Any]] = {
    "expect_column_values_to_be_between": _kwargs({"column": _NAME}, _BOUNDS | _MOSTLY),
    "expect_column_values_to_be_in_set": _kwargs({"column": _NAME, "value_set": {"type": "array"}}, _MOSTLY),
    "expect_column_values_to_be_null": _kwargs({"column": _NAME}, _MOSTLY),
    "expect_column_values_to_be_unique": _kwargs({"column": _NAME}, _MOSTLY),
    "expect_column_values_to_match_regex": _kwargs({"column": _NAME, "regex": _NAME}, _MOSTLY),
    "expect_column_values_to_not_be_null": _kwargs({"column": _NAME}, _MOSTLY),
    "expect_column_pair_values_a_to_be_greater_than_b": _kwargs(
        {"column_A": _NAME, "column_B": _NAME, "ignore_row_if": {"enum": list(IGNORE_PAIR)}},
        {"or_equal": {"type": "boolean"}} | _MOSTLY,
    ),
    "expect_compound_columns_to_be_unique": _kwargs(
        {
            "column_list": {"type": "array", "items": _NAME, "minItems": 2},
            "ignore_row_if": {"enum": list(IGNORE_KEY)},
        },
        _MOSTLY,
    ),
}
_CONDITIONED = _BOUNDS | {"row_condition": _CONDITION}
VALUE_TYPES: dict[str, dict[str, Any]] = {
    "expect_column_max_to_be_between": _kwargs({"column": _NAME}, _CONDITIONED),
    "expect_column_mean_to_be_between": _kwargs({"column": _NAME}, _CONDITIONED),
    "expect_column_median_to_be_between": _kwargs({"column": _NAME}, _CONDITIONED),
    "expect_column_min_to_be_between": _kwargs({"column": _NAME}, _CONDITIONED),
    "expect_table_row_count_to_be_between": _kwargs({}, _CONDITIONED),
}
# Expectations whose missing values count; all others leave them to a rule of their own.
COUNT_MISSING = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null")
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["name", "expectations"],
    "additionalProperties": False,
    "properties": {
        "name": _NAME,
        "meta": {"type": "object", "additionalProperties": False, "properties": {"about": _NAME}},
        "expectations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "severity", "kwargs", "meta"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": [*ROW_TYPES, *VALUE_TYPES]},
                    "severity": {"enum": list(SEVERITIES.values())},
                    "kwargs": {"type": "object"},
                    "notes": {"type": "string"},
                    "description": {"type": "string"},
                    "meta": {
                        "type": "object",
                        "required": ["id", "dimension", "verdict", "severity", "columns", "kpis", "about", "remedy"],
                        "additionalProperties": False,
                        "properties": {
                            "id": {"type": "string", "pattern": r"^[a-z][a-z0-9_]*\.[a-z0-9_]+$"},
                            "on": {"enum": list(ONS)},
                            "dimension": {"enum": list(DIMENSIONS)},
                            "verdict": {"enum": list(VERDICTS)},
                            "severity": {"enum": list(SEVERITIES)},
                            "columns": {"type": "array", "items": _NAME},
                            "kpis": {"type": "array", "items": _NAME},
                            "about": _NAME,
                            "remedy": _NAME,
                        },
                    },
                },
            },
        },
    },
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One expectation of a suite, with what the gate needs to know of it.

    Attributes:
        id: `<table>.<name>`, the same from week to week.
        table: The contract table.
        on: The batch that it looks at; see `ccanalysis.checks.batches`.
        expectation: Great Expectations' own configuration: type, severity, kwargs and meta.
        dimension: The dimension of data quality.
        verdict: `accuracy` or `suitability`.
        severity: `block`, `caution` or `note`.
        columns: The contract columns it speaks of; empty where it speaks of the rows themselves.
        kpis: The KPIs it concerns whatever they read; empty: those that read its columns.
        about: What is wrong with a row that fails, to follow "4 of 100 contacts", or with the value.
        remedy: What to do.
        needs: Further tables that it looks at.
    """

    id: str
    table: str
    on: str
    expectation: Mapping[str, Any]
    dimension: str
    verdict: str
    severity: str
    columns: tuple[str, ...]
    kpis: tuple[str, ...]
    about: str
    remedy: str
    needs: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The name of the expectation."""
        return self.expectation["type"]

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """What the expectation is given."""
        return self.expectation["kwargs"]

    @property
    def on_rows(self) -> bool:
        """Whether it can list the rows that fail."""
        return self.type in ROW_TYPES

    @property
    def named(self) -> set[str]:
        """Every column that it names, those of its row condition with them."""
        return _named(self.kwargs)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that its row condition keeps to; empty where it looks at all."""
        condition = self.kwargs.get("row_condition") or {}
        parts = condition["conditions"] if condition.get("type") == "and" else [condition]
        for part in parts:
            if part.get("column", {}).get("name") == "channel" and part.get("operator") in ("==", "IN"):
                value = part["parameter"]
                return tuple(value) if isinstance(value, list) else (value,)
        return ()

    @property
    def parameters(self) -> set[str]:
        """The parameters that it takes from the run."""
        return {
            value["$PARAMETER"] for value in self.kwargs.values() if isinstance(value, dict) and "$PARAMETER" in value
        }


def load(folder: Path, contract: Mapping[str, Table]) -> tuple[dict[str, tuple[Rule, ...]], dict[str, str]]:
    """Read every suite of a folder.

    Columns that a workspace added to a table get the rules that its contract implies.

    Args:
        folder: With one `<table>.json` per table, and `figures.json` on what was measured.
        contract: The tables.

    Returns:
        Rules by table, and the SHA-256 of each suite by table. A table without a suite has no rules.

    Raises:
        SettingsError: A suite is not JSON, or says something that cannot be followed; the error names the file, the
            rule and the key.
    """
    contract = {**contract, FIGURES.name: FIGURES}
    rules: dict[str, tuple[Rule, ...]] = {}
    hashes: dict[str, str] = {}
    seen: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        name = path.stem
        if name not in contract:
            raise SettingsError(
                f"there is no table {name!r} to expect anything of",
                remedy=nearest(name, list(contract)),
                place=_place(path),
            )
        content = path.read_bytes()
        hashes[name] = hashlib.sha256(content).hexdigest()
        rules[name] = _suite(path, content, contract[name])
        for rule in rules[name]:
            if rule.id in seen:
                raise SettingsError(
                    f"two rules have the id {rule.id!r}",
                    remedy="Give each an id of its own",
                    place=_place(path, rule.id),
                )
            seen[rule.id] = path.name
    for name, table in contract.items():
        if name in rules:
            known = {column for rule in rules[name] for column in rule.columns}
            rules[name] += tuple(
                rule for rule in implied(table) if rule.columns[0] not in known and not _is_base(table, rule.columns[0])
            )
    return rules, hashes


def implied(table: Table) -> list[Rule]:
    """Return the rules that a table's contract implies: required values, closed code lists and ranges."""
    rules = []
    for column in table.mapped:
        if column.required:
            rules.append(
                _implied(
                    table,
                    column,
                    "given",
                    "expect_column_values_to_not_be_null",
                    {},
                    "completeness",
                    f"have no {column.name}",
                )
            )
        if column.values:
            rules.append(
                _implied(
                    table,
                    column,
                    "known",
                    "expect_column_values_to_be_in_set",
                    {"value_set": list(column.values)},
                    "validity",
                    f"have {_an(column.name)} outside the closed list",
                )
            )
        elif column.low is not None or column.high is not None:
            rules.append(
                _implied(
                    table,
                    column,
                    "range",
                    "expect_column_values_to_be_between",
                    {
                        key: value
                        for key, value in (("min_value", column.low), ("max_value", column.high))
                        if value is not None
                    },
                    "validity",
                    f"have {_an(column.name)} that cannot be",
                )
            )
    return rules


def _implied(
    table: Table, column: Column, name: str, kind: str, kwargs: dict[str, Any], dimension: str, about: str
) -> Rule:
    meta = {
        "id": f"{table.name}.{column.name}_{name}",
        "dimension": dimension,
        "verdict": "accuracy",
        "severity": "block",
        "columns": [column.name],
        "kpis": [],
        "about": about,
        "remedy": f"Correct the mapping of {column.name!r} in the settings, or ask the owner of the export",
    }
    return _rule(
        {"type": kind, "severity": "critical", "kwargs": {"column": column.name} | kwargs, "meta": meta}, table
    )


def _an(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _is_base(table: Table, column: str) -> bool:
    """Tell a column of the product's own contract from one that a workspace added."""
    from ccanalysis import contracts  # noqa: PLC0415  the product's own tables, whatever the caller passed

    return table.name in contracts.TABLES and column in contracts.TABLES[table.name]


def _suite(path: Path, content: bytes, table: Table) -> tuple[Rule, ...]:
    try:
        suite = json.loads(content, object_pairs_hook=_no_repeats)
    except (ValueError, UnicodeDecodeError) as error:
        raise SettingsError(f"it is not valid JSON: {error}", place=_place(path)) from None
    _check(suite, SCHEMA, path)
    if suite["name"] != table.name:
        raise SettingsError(
            f"the suite is named {suite['name']!r}", remedy=f"Name it {table.name!r}, as its file", place=_place(path)
        )
    rules = []
    for expectation in suite["expectations"]:
        rule = _rule(expectation, table)
        at = _place(path, rule.id)
        _check(dict(rule.kwargs), {**ROW_TYPES, **VALUE_TYPES}[rule.type], path, rule=rule.id, at="kwargs")
        if not rule.id.startswith(f"{table.name}."):
            raise SettingsError(f"the id must begin with '{table.name}.'", place=at)
        if expectation["severity"] != SEVERITIES[rule.severity]:
            raise SettingsError(
                f"'severity' is {expectation['severity']!r}, but 'meta.severity' is {rule.severity!r}",
                remedy=f"Write {SEVERITIES[rule.severity]!r} for {rule.severity!r}",
                place=at,
            )
        if rule.on not in ons_of(table):
            raise SettingsError(
                f"table {table.name!r} has no batch {rule.on!r}",
                remedy="Known are: " + ", ".join(ons_of(table)),
                place=at,
            )
        for column in rule.columns:
            if column not in table:
                raise SettingsError(
                    f"'meta.columns' names {column!r}, which table {table.name!r} does not have",
                    remedy=nearest(column, [column.name for column in table.columns]),
                    place=at,
                )
        known = columns_of(table, rule.on)
        for column in sorted(_named(rule.kwargs)):
            if column not in known:
                raise SettingsError(
                    f"'kwargs' names {column!r}, which the batch {rule.on!r} does not have",
                    remedy=nearest(column, list(known)),
                    place=at,
                )
        rules.append(rule)
    return tuple(rules)


def _rule(expectation: Mapping[str, Any], table: Table) -> Rule:
    meta = expectation["meta"]
    on = meta.get("on", "rows")
    return Rule(
        id=meta["id"],
        table=table.name,
        on=on,
        expectation=expectation,
        dimension=meta["dimension"],
        verdict=meta["verdict"],
        severity=meta["severity"],
        columns=tuple(meta["columns"]),
        kpis=tuple(meta["kpis"]),
        about=meta["about"],
        remedy=meta["remedy"],
        needs=needs_of(table.name, _named(expectation["kwargs"]), on),
    )


def _named(kwargs: Mapping[str, Any]) -> set[str]:
    """Return every column that an expectation names, those of its row condition with them."""
    named = {kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs}
    return named | set(kwargs.get("column_list", ())) | _conditioned(kwargs.get("row_condition"))


def _conditioned(condition: Any) -> set[str]:
    if not isinstance(condition, dict):
        return set()
    if "conditions" in condition:
        return set().union(*(_conditioned(part) for part in condition["conditions"]))
    return {condition.get("column", {}).get("name", "")}


def _check(content: Any, schema: dict[str, Any], path: Path, *, rule: str = "", at: str = "") -> None:
    """Raise the first thing that a schema does not allow, in words."""
    skip_slow_import()
    from jsonschema import Draft202012Validator  # noqa: PLC0415  0.1 s

    for error in sorted(
        Draft202012Validator(schema).iter_errors(content), key=lambda error: list(map(str, error.path))
    ):
        keys = [str(key) for key in error.absolute_path]
        named = rule
        if keys[:1] == ["expectations"] and len(keys) > 1:
            meta = content["expectations"][int(keys[1])]
            meta = meta.get("meta", {}) if isinstance(meta, dict) else {}
            named = meta.get("id", "") if isinstance(meta, dict) else ""
            named = named or f"number {int(keys[1]) + 1}"
            keys = keys[2:]
        where = ".".join(filter(None, (at, *keys)))
        problem, remedy = _words(error, where)
        raise SettingsError(problem, remedy=remedy, place=_place(path, named))


def _words(error: Any, where: str) -> tuple[str, str]:
    known = sorted(error.schema.get("properties", {}))
    inside = f" in {where!r}" if where else ""
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(known))[0]
        return f"unknown key {unknown!r}{inside}", nearest(unknown, known)
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))[0]
        return f"there is no {missing!r}{inside}", f"Add {missing!r}"
    if error.validator == "enum":
        return f"{where!r} is {error.instance!r}", nearest(str(error.instance), [str(v) for v in error.validator_value])
    if error.validator == "type":
        kinds = error.validator_value if isinstance(error.validator_value, str) else " or ".join(error.validator_value)
        return f"{where or 'the suite'!r} must be of type {kinds}", ""
    if error.validator == "anyOf":
        return f"{where!r} must be a number, a text or a parameter", 'Write for example {"$PARAMETER": "as_of"}'
    return f"{where!r}: {error.message}", ""


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated!r} is given twice")
    return found


def _place(path: Path, rule: str = "") -> str:
    text = f"{path.parent.name}/{path.name}"
    return f"{text}, rule {rule}" if rule.startswith("number ") else f"{text}, rule {rule!r}" if rule else text
