"""Measures of one's own as plain Python functions in a file of the workspace, each returning a `Measure`.

The function makes the measure; it never sees a row. What the measure counts stays in the small language, so it is
checked, added up and governed like every other.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ccanalysis import contracts
from ccanalysis.errors import ExpressionError, RegisterError, nearest, place
from ccanalysis.kpis.sides import Measure

_SPEC = re.compile(r"((?:[\w-]+/)*[\w-]+\.py):([A-Za-z_]\w*)", re.ASCII)


def split(text: Any, root: Path) -> tuple[Path, str]:
    """Split `my_measures.py:name` into a file of the workspace and the name of a function.

    Raises:
        RegisterError: It has another form, leads out of the workspace, or there is no such file.
    """
    match = _SPEC.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise RegisterError(
            "'python' must name a file of the workspace and a function", remedy="Write for example my_measures.py:quick"
        )
    path = (root / match[1]).resolve()
    if not path.is_relative_to(root.resolve()):
        raise RegisterError(f"{match[1]} leads out of the workspace", remedy="Keep the file beside kpis.yml")
    if not path.is_file():
        raise RegisterError(f"there is no file {match[1]}", remedy="Keep the file beside kpis.yml, or correct the name")
    return path, match[2]


def from_python(text: Any, parameters: Mapping[str, Any], root: Path, tables: Mapping[str, contracts.Table]) -> Measure:
    """Make a measure by calling a function of a Python file of the workspace.

    Args:
        text: `my_measures.py:name`.
        parameters: Given to the function by name.
        root: The folder of the register.
        tables: The contract tables of the workspace.

    Raises:
        RegisterError: The file cannot be read, the function fails, or what it returns cannot be measured; the message
            names the file and the line.
    """
    path, name = split(text, root)
    module = _module(path)
    function = getattr(module, name, None)
    if not callable(function) or isinstance(function, type):
        own = [
            key for key, kept in vars(module).items() if inspect.isfunction(kept) and kept.__module__ == module.__name__
        ]
        raise RegisterError(
            f"there is no function {name!r}", remedy=nearest(name, own) if own else "Write one", place=place(path)
        )
    line = inspect.unwrap(function).__code__.co_firstlineno if hasattr(function, "__code__") else None
    there = place(path, line=line)
    try:
        inspect.signature(function).bind(**parameters)
    except TypeError as error:
        raise RegisterError(f"{name}: {error}", remedy="Give its parameters beside 'python'", place=there) from None
    measure = _guarded(path, lambda: function(**parameters))
    if not isinstance(measure, Measure):
        raise RegisterError(
            f"{name} returns {type(measure).__name__} and not a Measure",
            remedy="Return a Measure of ccanalysis.kpis.measures",
            place=there,
        )
    for side in measure.sides:
        if side.table not in tables:
            raise RegisterError(
                f"{name}: there is no contract table {side.table!r}",
                remedy=nearest(side.table, list(tables)),
                place=there,
            )
        try:
            side.checked(tables)
        except ExpressionError as error:
            raise RegisterError(f"{name}: {error.problem}", remedy=error.remedy, place=there) from None
    return measure


def _module(path: Path) -> Any:
    """Run a file as a module of its own."""
    name = f"ccanalysis_workspace_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # a path that ends in .py has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    source = path.read_text(encoding="utf-8-sig", errors="replace")
    try:
        code = compile(source, str(path), "exec")
    except SyntaxError as error:
        raise RegisterError(
            f"it is not valid Python: {error.msg}", remedy="Correct the line", place=place(path, line=error.lineno)
        ) from None
    _guarded(path, lambda: exec(code, module.__dict__))
    return module


def _guarded(path: Path, call: Callable[[], Any]) -> Any:
    """Call what the file's owner wrote; whatever it raises is told with its file and line."""
    try:
        return call()
    except RegisterError:
        raise
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = frames[-1].lineno if frames else None
        said = str(error).splitlines()[0] if str(error) else ""
        raise RegisterError(
            f"{type(error).__name__}{': ' + said if said else ''}",
            remedy="Correct the line",
            place=place(path, line=line),
        ) from None
