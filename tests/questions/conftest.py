"""Answers to the questions of monitoring, on the sample centre and on centres that lack tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from ccanalysis import engine, questions
from ccanalysis.periods import Period
from ccanalysis.questions import Answer
from ccanalysis.questions.data import Data
from ccanalysis.results import Results, compute
from ccanalysis.workspace import Workspace


@pytest.fixture(scope="session")
def centre(sample_run) -> Workspace:
    """The sample centre, with the results of its last week at hand."""
    return Workspace.open(sample_run.folder)


@pytest.fixture(scope="session")
def results(centre) -> Results:
    """The uncut results of the sample centre."""
    return compute(centre)


@pytest.fixture(scope="session")
def truths(root) -> dict[str, dict]:
    """What was planted in the sample centre, by id; `nothing_...` is where nothing must be found."""
    answers = json.loads((root / "data" / "samples" / "answers.json").read_text(encoding="utf-8"))
    return {truth["id"]: truth for truth in [*answers["truths"], *answers["nothing_here"]]}


@pytest.fixture(scope="session")
def answered(centre, results) -> Callable[..., Answer]:
    """A function that answers a question on the sample centre."""

    def answer(name: str, every: str | None = None) -> Answer:
        return questions.answer(centre, results, name, every)

    return answer


@pytest.fixture
def of_tables(centre, results, tmp_path) -> Callable[..., Data]:
    """A function that makes the input of a question from frames, for centres that lack tables or have others."""
    opened = []

    def data(tables: dict[str, pd.DataFrame], *, since: date, until: date, left_out: dict | None = None) -> Data:
        paths: dict[str, Path] = {}
        for name, frame in tables.items():
            paths[name] = tmp_path / f"{name}.parquet"
            frame.to_parquet(paths[name], index=False)
        connection = engine.connect(paths)
        opened.append(connection)
        return Data(
            connection=connection,
            workspace=centre,
            results=results,
            tables=tuple(tables),
            texts={},
            period=Period.containing(until, "week").shift(-1),
            since=since,
            until=until,
            left_out=left_out or {},
        )

    yield data
    for connection in opened:
        connection.close()
