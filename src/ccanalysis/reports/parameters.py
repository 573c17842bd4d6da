"""The parameters of a notebook, read from its `parameters` cell without running it."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ccanalysis.errors import ParameterError, nearest, place

Scalar = str | int | float | bool | None
TAG = "parameters"
_NAMES = {str: "text", bool: "true or false", int: "a whole number", float: "a number", type(None): "nothing"}


def declared(notebook: Path | Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the parameters of a notebook with their defaults.

    Args:
        notebook: The notebook's file, or its content.

    Raises:
        ParameterError: The file is no notebook, it has no cell tagged `parameters` or several, or that cell holds
            something else than plain values given to names.
    """
    where, content = "", notebook
    if isinstance(notebook, Path):
        where = place(notebook)
        try:
            content = json.loads(notebook.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ParameterError("the notebook is not there", place=where, remedy="Check its name") from None
        except (OSError, ValueError):
            raise ParameterError("it is not a notebook", place=where, remedy="Open and save it in JupyterLab") from None
    cells = content.get("cells", []) if isinstance(content, Mapping) else []
    tagged = [cell for cell in cells if TAG in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        found = "no cell is" if not tagged else f"{len(tagged)} cells are"
        raise ParameterError(
            f"{found} tagged 'parameters'", place=where, remedy="Tag the one cell that holds the defaults"
        )
    source = tagged[0].get("source", "")
    return _defaults(source if isinstance(source, str) else "".join(source), where)


def _defaults(source: str, where: str) -> dict[str, Scalar]:
    defaults: dict[str, Scalar] = {}
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(
            f"line {error.lineno} of the parameters cell is not Python", place=where, remedy="Correct it"
        ) from None
    for statement in body:
        target = None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        if isinstance(target, ast.Name) and statement.value is not None:  # type: ignore[attr-defined]
            try:
                value = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
            except ValueError:
                value = ...
            if isinstance(value, Scalar):
                defaults[target.id] = value
                continue
        raise ParameterError(
            f"line {statement.lineno} of the parameters cell does not give a plain value to a name",
            place=where,
            remedy="Keep text, numbers, True, False and None there, and everything else in the cells below",
        )
    return defaults


def check_parameters(
    notebook: Path | Mapping[str, Any], parameters: Mapping[str, Any], *, complete: bool = False
) -> None:
    """Check parameters against those that a notebook declares.

    Args:
        notebook: The notebook's file, or its content.
        parameters: Name and value; a value is text, a finite number, True, False or None.
        complete: Whether every parameter of the notebook must be given.

    Raises:
        ParameterError: A name is not declared (the nearest is offered), a value is of another type than the
            default, a value cannot be written as JSON, or, where asked for, one is missing.

    Examples:
        >>> cell = {"metadata": {"tags": ["parameters"]}, "source": "team = 'North'"}
        >>> check_parameters({"cells": [cell]}, {"tema": "South"})
        Traceback (most recent call last):
        ccanalysis.errors.ParameterError: the notebook has no parameter 'tema'. Did you mean 'team'?
    """
    where = place(notebook) if isinstance(notebook, Path) else ""
    known = declared(notebook)
    for name, value in parameters.items():
        if name not in known:
            raise ParameterError(
                f"the notebook has no parameter {name!r}", place=where, remedy=nearest(name, list(known))
            )
        _check_value(name, value, known[name], where)
    if complete and (missing := [name for name in known if name not in parameters]):
        raise ParameterError(
            f"the parameter {missing[0]!r} is not given", place=where, remedy="Give every parameter of the notebook"
        )


def _check_value(name: str, value: Any, default: Scalar, where: str) -> None:
    if type(value) not in _NAMES:
        raise ParameterError(
            f"the parameter {name!r} is a {type(value).__name__}", place=where, remedy="Give text or a number"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ParameterError(f"the parameter {name!r} is not a finite number", place=where, remedy="Give a number")
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ParameterError(
                f"the parameter {name!r} holds half a character", place=where, remedy="Give text in Unicode"
            ) from None
    if default is None or type(value) is type(default) or (type(value) is int and type(default) is float):
        return
    raise ParameterError(
        f"the parameter {name!r} is {_NAMES[type(value)]}, and the notebook's own is {_NAMES[type(default)]}",
        place=where,
        remedy=f"Give {_NAMES[type(default)]}",
    )
