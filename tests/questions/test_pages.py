"""Every part of every page on a question: typed, in every edition, also where no table was given at all."""

from __future__ import annotations

import importlib
import inspect
from datetime import date

import pytest

from ccanalysis import editions, views
from ccanalysis.display import Figure, Note, Table
from ccanalysis.editions import Reader
from ccanalysis.questions import QUESTIONS, Answer

pytestmark = pytest.mark.slow
SINCE, UNTIL = date(2026, 5, 18), date(2026, 11, 16)
READERS = [Reader("centre"), Reader("quality_lead"), Reader("analyst"), Reader("line_manager", "Niamh O'Connor")]


def parts(module):
    """Return the view functions of a module that need nothing but a slice."""
    return [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and next(iter(inspect.signature(function).parameters), "") == "results"
        and all(p.default is not p.empty for p in list(inspect.signature(function).parameters.values())[1:])
    ]


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_page_says_what_lacks_where_no_table_was_given(name, of_tables, results, tmp_path):
    """Not one part of it fails, in whichever edition."""
    frames = importlib.import_module(f"ccanalysis.questions.{name}").answer(of_tables({}, since=SINCE, until=UNTIL))
    facts = {"question": name, "title": QUESTIONS[name].title, "since": SINCE.isoformat(), "until": UNTIL.isoformat()}
    facts |= {"period": "2026-W46", "absent": list(QUESTIONS[name].uses), "trust": [], "left_out": {}, "notes": []}
    answer = Answer(
        facts, {key: one.rows for key, one in frames.items()}, {key: one.keys for key, one in frames.items()}
    )
    module = importlib.import_module(f"ccanalysis.views.{name}")
    assert {"headline", "lead"} <= {part.__name__ for part in parts(module)}
    for number, reader in enumerate(READERS):
        sliced = editions.write(results, reader, tmp_path / str(number), answer)
        for part in parts(module):
            shown = part(sliced)
            for one in shown if isinstance(shown, list) else [shown]:
                assert one is None or isinstance(one, (Table, Note, Figure, str)), part.__name__
        assert views.headline(sliced) and views.question_lead(sliced).plain()
        assert "Not given" in views.window_note(sliced).plain()
        assert views.trust_note(sliced).plain() == "No table of this question was given."
