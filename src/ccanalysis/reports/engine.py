"""What papermill's entry point `ccanalysis-inprocess` names: the engine, imported when a notebook is run with it.

Papermill loads every entry point while it is being imported itself; the engine's module imports papermill.
"""

from __future__ import annotations

from typing import Any


class _LateEngine:
    """Stand for the engine until one of its methods is asked for."""

    def __getattr__(self, name: str) -> Any:
        from ccanalysis.reports.inprocess import InProcessEngine  # noqa: PLC0415

        return getattr(InProcessEngine, name)


IN_PROCESS = _LateEngine()
