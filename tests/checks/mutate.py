"""Spoil what one rule looks at, and nothing else: most rules say themselves how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from ccanalysis.checks.suites import Rule
from ccanalysis.contracts import TABLES, Column

Broken = Callable[[pd.DataFrame], pd.DataFrame]
ALL = 10_000_000


def spoil(rule: Rule) -> Broken:
    """Return how the rows of a period are spoilt for a rule, told from the rule itself.

    As many rows are spoilt as it takes: one, or one more than the rule allows.
    """
    kwargs = rule.kwargs

    def broken(week: pd.DataFrame) -> pd.DataFrame:
        week = week.copy()
        column = kwargs.get("column") or kwargs["column_A"]
        within = where(week, kwargs.get("row_condition"))
        if rule.type != "expect_column_values_to_be_null":
            within &= week[column].notna()
        if "column_B" in kwargs:
            within &= week[kwargs["column_B"]].notna()
        rows = week.index[within]
        few = enough(len(rows), kwargs.get("mostly", 1))
        rows = rows[:: max(1, len(rows) // few)][:few]  # spread over the week, so that no day or hour is empty
        assert len(rows), f"no row that {rule.id} speaks of"
        week.loc[rows, column] = value(rule, week.loc[rows])
        return week

    return broken


def enough(n: int, mostly: float) -> int:
    """How many of so many rows must fail for a rule that allows some."""
    return int((1 - mostly) * n + 1e-9) + 1


def value(rule: Rule, rows: pd.DataFrame) -> Any:
    """What stands in the spoilt rows."""
    kwargs = rule.kwargs
    match rule.type.removeprefix("expect_column_"):
        case "values_to_not_be_null":
            return None
        case "values_to_be_in_set":
            return "unheard of" if isinstance(kwargs["value_set"][0], str) else False
        case "values_to_match_regex":
            return " " + rows[kwargs["column"]].astype("str")
        case "pair_values_a_to_be_greater_than_b":
            first, second = TABLES[rule.table].column(kwargs["column_A"]), kwargs["column_B"]
            return rows[second] - step(first)
        case "values_to_be_between" if kwargs.get("max_value") is not None and kwargs.get("min_value") is None:
            return kwargs["max_value"] + 1
        case "values_to_be_between" if isinstance(kwargs["min_value"], str):
            return (pd.Timestamp(kwargs["min_value"]) - pd.Timedelta(days=1)).date()
        case "values_to_be_between":
            return kwargs["min_value"] - step(TABLES[rule.table].column(kwargs["column"]))
    raise AssertionError(f"{rule.id}: say how it is spoilt")


def step(column: Column) -> Any:
    """The least amount by which a value of a column is told from another."""
    if column.type == "instant":
        return pd.Timedelta(seconds=120)
    return pd.Timedelta(days=1) if column.type == "date" else 1


def where(frame: pd.DataFrame, condition: Any) -> pd.Series:
    """The rows that a rule's condition keeps to; every column of the clean tables is told by its export."""
    every = pd.Series(True, index=frame.index)
    if not condition:
        return every
    if "conditions" in condition:
        for part in condition["conditions"]:
            every &= where(frame, part)
        return every
    name = condition["column"]["name"]
    if name.startswith("has_"):
        return every
    if condition["type"] == "nullity":
        return frame[name].isna() if condition["is_null"] else frame[name].notna()
    wanted, values = condition["parameter"], frame[name]
    found = {
        "==": lambda: values == wanted,
        ">": lambda: values > wanted,
        "IN": lambda: values.isin(wanted),
    }[condition["operator"]]()
    return found.fillna(False).astype(bool)


def put(column: str, of: Any, rows: int = 1, among: Callable[[pd.DataFrame], pd.Series] | None = None) -> Broken:
    """Write a value, or what a function makes of the rows, into the first rows of those meant."""

    def broken(week: pd.DataFrame) -> pd.DataFrame:
        week = week.copy()
        chosen = (week[among(week)] if among else week).index[:rows]
        assert len(chosen) == rows or rows == ALL
        week.loc[chosen, column] = of(week.loc[chosen]) if callable(of) else of
        return week

    return broken


def keep(of: Callable[[pd.DataFrame], pd.Series]) -> Broken:
    """Keep only some rows of a week."""
    return lambda week: week[of(week)]
