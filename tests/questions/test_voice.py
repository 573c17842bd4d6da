"""The voice of the customer: who is heard, what is new in what they write, and nobody's data in any report."""

from __future__ import annotations

import html
import json
import zipfile
from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ccanalysis import editions
from ccanalysis.questions import Answer, voice
from ccanalysis.views import voice as view

pytestmark = pytest.mark.slow
WINDOW = {"since": date(2026, 5, 18), "until": date(2026, 11, 16)}
FIRST, RECENT = pd.Timestamp("2026-06-01"), pd.Timestamp("2026-11-02")


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre."""
    return answered("voice")


@pytest.fixture
def slice_of(results, answer):
    """A function that gives what an edition of the answer shows; frames are replaced where given."""

    def cut(audience="centre", unit="Northgate Services", **frames):
        given = Answer(answer.facts, {**answer.frames, **frames}, answer.keys)
        reader = editions.Reader(audience, unit)
        facts = {**results.facts, "question": answer.facts, "audience": audience, "unit": unit}
        shown = editions.cut_answer(results, given, reader)
        return SimpleNamespace(facts=facts, people=results.people, answered=lambda name: shown[name])

    return cut


# Who answers.
def test_the_weighted_share_contains_what_all_asked_would_say_and_the_raw_one_does_not(answer, truths):
    """Customers whose contact was not resolved answer far less often."""
    observed = truths["survey_bias"]["observed"]
    score = answer.frames["scores"].set_index("measure").loc["csat"]
    assert score["raw"] == pytest.approx(observed["csat_of_answers"], abs=0.002)
    assert score["weighted_low"] <= observed["csat_of_all_asked"] <= score["weighted_high"] < score["raw"]
    assert score["bias"] == "higher"
    response = answer.frames["response"].set_index(["level", "unit"])
    for unit in ("resolved", "not_resolved"):
        row = response.loc["resolution", unit.replace("_", " ")]
        assert row["ci_low"] <= observed[f"response_{unit}"] <= row["ci_high"]


def test_no_other_kind_of_customer_is_said_to_answer_less(answer):
    """Response depends on resolution alone."""
    tested = answer.frames["tested"].set_index("by")["outcome"]
    assert tested["resolution"] == "differs"
    assert set(tested.drop("resolution")) == {"no difference found"} and len(tested) == 4


def asked(resolved, n, answers, csat, channel="voice"):
    """Customers asked with the same kind of contact, of whom the first ones answer with the same score."""
    heard = np.arange(n) < answers
    return pd.DataFrame(
        {
            "resolution": resolved,
            "channel": channel,
            "team": "A",
            "reason": "R",
            "answered": heard,
            "csat": np.where(heard, float(csat), np.nan),
            "nps": np.nan,
            "effort": np.nan,
            "day": FIRST,
        }
    )


def test_an_answer_counts_for_the_customers_of_its_kind_who_did_not_answer():
    """50 of 100 answer happily and 25 of 100 unhappily: two thirds of answers, half of all asked."""
    rows = pd.concat([asked("resolved", 100, 50, 5), asked("not resolved", 100, 25, 1)], ignore_index=True)
    weights, cells = voice._weights(rows)
    score = voice._scores(rows, weights, cells).iloc[0]
    assert (score["measure"], score["n"], score["cells"]) == ("csat", 75, 2)
    assert score["raw"] == pytest.approx(2 / 3) and score["weighted"] == pytest.approx(0.5)
    assert score["n_effective"] == pytest.approx(200**2 / (50 * 2**2 + 25 * 4**2))
    assert score["bias"] == "higher"


def test_a_cell_of_few_answers_is_taken_together_with_the_others_of_its_kind():
    """Five answers by e-mail do not stand for 95 customers by themselves."""
    rows = [asked("resolved", 100, 50, 5), asked("not resolved", 100, 25, 1)]
    rows += [asked("not resolved", 100, 5, 5, channel="email"), asked("resolved", 80, 20, 4, channel="email")]
    weights, cells = voice._weights(pd.concat(rows, ignore_index=True))
    assert cells == 3  # resolved by voice, resolved by e-mail, not resolved
    assert sorted(weights.dropna().unique()) == pytest.approx([2, 4, 200 / 30])
    assert weights.sum() == pytest.approx(380)


def test_where_all_kinds_answer_alike_no_bias_is_found():
    """The weights are all the same."""
    rows = pd.concat([asked("resolved", 100, 50, 5), asked("not resolved", 100, 50, 1)], ignore_index=True)
    score = voice._scores(rows, *voice._weights(rows)).iloc[0]
    assert score["raw"] == score["weighted"] == 0.5 and score["bias"] == "none found"
    assert score["n_effective"] == pytest.approx(100)


# What they write.
def test_the_new_theme_is_found_with_every_text_of_it(answer, truths):
    """Nobody wrote of the app before its log-in failed."""
    truth = truths["new_theme"]
    new = answer.frames["themes"][answer.frames["themes"]["outcome"] == "new"]
    assert len(new) == 1
    found = new.iloc[0]
    assert set(truth["words"]) <= set(found["terms"].replace(",", "").split())
    planted = truth["observed"]["surveys_from"][0] + truth["observed"]["complaints_from"][0]
    assert (found["n"], found["n_before"], found["n_recent"]) == (planted, 0, planted)
    assert set(answer.frames["terms"].loc[answer.frames["terms"]["outcome"] == "new", "theme"]) == {found["theme"]}


def test_the_rising_theme_is_found_and_its_ratio_lies_in_the_interval(answer, truths):
    """What was counted when it was written, before any export."""
    truth = truths["rising_theme"]
    rising = answer.frames["themes"][answer.frames["themes"]["outcome"] == "rising"]
    assert len(rising) == 1
    found, seen = rising.iloc[0], truth["observed"]
    assert set(found["terms"].replace(",", "").split()) & set(truth["words"])
    shares = [
        (seen[f"surveys_{when}"][0] + seen[f"complaints_{when}"][0])
        / (seen[f"surveys_{when}"][1] + seen[f"complaints_{when}"][1])
        for when in ("from", "before")
    ]
    assert 1 < found["ci_low"] <= shares[0] / shares[1] <= found["ci_high"]
    assert found["n_before"] > 0


def test_nothing_else_is_called_new_or_rising_least_of_all_the_steady_theme(answer, truths):
    """Long waits come as often as ever."""
    words = set(truths["nothing_steady_theme"]["words"])
    changed = answer.frames["terms"]
    assert not [term for term in changed["term"] if set(term.split()) & words]
    themes = answer.frames["themes"]
    waits = themes[themes["theme"].str.replace(",", "").str.split().map(lambda own: bool(set(own) & words))]
    assert len(waits) and set(waits["outcome"]) <= {"steady", "cannot tell"}
    assert (waits["ci_low"] < 1).all()


def said(**counts):
    """Complaints: theme -> how many before and in the last weeks; a sentence per theme."""
    sentences = {
        "parcel": "the parcel never arrived",
        "queue": "the queue took ages",
        "bill": "my invoice shows wrong amounts",
        "portal": "the portal crashes whenever uploading photographs",
    }
    words, days = [], []
    for theme, (before, recent) in counts.items():
        words += [sentences[theme]] * (before + recent)
        days += [FIRST] * before + [RECENT] * recent
    keys = [f"c{number:04d}" for number in range(len(words))]
    return pd.DataFrame({"complaint_id": keys, "local_date": days}), pd.DataFrame(
        {"complaint_id": keys, "words": words}
    )


@pytest.fixture
def of_words(of_tables, tmp_path):
    """A function that answers the question on complaints alone, with what their writers wrote."""

    def answer(**counts):
        table, words = said(**counts)
        data = of_tables({"complaints": table}, **WINDOW)
        path = tmp_path / "complaints__text.parquet"
        words.to_parquet(path, index=False)
        data.texts = {"complaints": path}
        return {name: frame.rows for name, frame in voice.answer(data).items()}

    return answer


def test_new_rising_falling_and_steady_are_told_apart(of_words):
    """Of 400 texts before and 100 since: 0 and 12, 20 and 20, 190 and 20, 190 and 48."""
    found = of_words(portal=(0, 12), parcel=(20, 20), queue=(190, 20), bill=(190, 48))
    themes = found["themes"]

    def row(word):
        return themes[themes["terms"].str.contains(word)].iloc[0]

    assert row("photographs")["outcome"] == "new" and row("photographs")["ratio"] == np.inf
    parcel = row("parcel")
    assert (parcel["outcome"], parcel["n_before"], parcel["n_recent"]) == ("rising", 20, 20)
    assert parcel["ratio"] == pytest.approx((20 / 100) / (20 / 400)) and parcel["ci_low"] > 2
    assert row("queue")["outcome"] == "falling" and row("invoice")["outcome"] == "steady"
    assert set(found["terms"]["theme"]) == {row("photographs")["theme"], parcel["theme"]}
    assert found["texts"].iloc[0].to_dict() == {
        "source": "complaints", "n": 500, "texts": 500, "n_recent": 100, "themed": 500
    }  # fmt: skip


def test_a_theme_of_few_texts_cannot_be_told_and_says_how_many_would_tell(of_words):
    """Three of thirty after sixteen of 170 may be anything up to twice as often."""
    themes = of_words(parcel=(16, 3), queue=(154, 27))["themes"]
    found = themes[themes["terms"].str.contains("parcel")].iloc[0]
    assert found["outcome"] == "cannot tell" and found["ci_high"] > 2 and found["n_to_tell"] > 100


def test_few_texts_have_no_themes_and_the_report_says_how_many_it_takes(of_words, slice_of):
    """Ninety texts."""
    found = of_words(queue=(60, 30))
    assert found["themes"].empty and found["quotes"].empty
    shown = slice_of(**{name: found[name] for name in ("themes", "terms", "quotes", "texts")})
    assert "Customers wrote 90 texts in the window; from 100 on" in view.lead(shown).plain()
    assert view.quotes_table(shown) is None


def test_the_same_texts_give_the_same_themes_in_whatever_order_they_are_read(of_words):
    """To the last digit."""
    first, second = of_words(portal=(0, 12), queue=(200, 60)), of_words(queue=(200, 60), portal=(0, 12))
    pd.testing.assert_frame_equal(first["themes"], second["themes"])
    pd.testing.assert_frame_equal(first["terms"], second["terms"])


def test_where_no_free_text_is_kept_surveys_alone_are_shown(of_tables, slice_of):
    """And the report says so, and how to keep it."""
    rows = pd.DataFrame(
        {
            "survey_id": [f"s{number}" for number in range(40)],
            "local_date": FIRST,
            "answered_at": [FIRST] * 20 + [pd.NaT] * 20,
            "csat": [5.0] * 15 + [2.0] * 5 + [np.nan] * 20,
            "nps": np.nan,
            "effort": np.nan,
            "channel": "voice",
            "team": "A",
        }
    )
    found = {name: frame.rows for name, frame in voice.answer(of_tables({"surveys": rows}, **WINDOW)).items()}
    assert found["scores"][["measure", "n", "raw"]].to_numpy().tolist() == [["csat", 20, 0.75]]
    shown = slice_of(**found)
    assert "free_text" in view.lead(shown).plain() and "75.0%" in view.headline(shown)
    assert "free_text" in view.themes_chart(shown).plain() and "free_text" in view.heard_note(shown).plain()
    assert view.quotes_table(shown) is None


def test_a_centre_without_any_table_gets_empty_frames_and_a_page(of_tables, slice_of):
    """With the columns that the report reads."""
    found = {name: frame.rows for name, frame in voice.answer(of_tables({}, **WINDOW)).items()}
    empty = all(frame.empty for name, frame in found.items() if name != "course")
    assert empty and all(len(frame.columns) for frame in found.values())
    shown = slice_of(**found)
    assert "No surveys were given." in view.lead(shown).plain()
    for part in (
        view.to_do,
        view.response_chart,
        view.response_table,
        view.scores_table,
        view.course,
        view.terms_table,
    ):
        assert part(shown).plain()


# Who sees what.
def test_the_page_says_the_truth_in_words(slice_of):
    """New first, with counts; then what comes more often; then the share of all asked."""
    shown = slice_of()
    assert view.headline(shown).startswith("New in what customers write: 'app")
    words = view.lead(shown).plain()
    assert "none of 1,4" in words and "More often than before: 'appointment" in words and "too high" in words
    done = view.to_do(shown).plain()
    assert "Find out today what is behind 'app" in done and "satisfied, not 78." in done


def test_comments_are_quoted_in_the_whole_centres_edition_alone(slice_of, results, answer):
    """A team knows whose words they are."""
    quotes = answer.frames["quotes"]
    themes = answer.frames["themes"].set_index("theme")["n"]
    assert len(quotes) and (themes[quotes["theme"]] >= voice.FEWEST_OF_THEME).all()
    assert view.quotes_table(slice_of()) is not None
    manager = results.people["line_manager"].dropna().iloc[0]
    for audience, unit in (("team", "Aire"), ("line_manager", manager)):
        shown = slice_of(audience, unit)
        assert shown.answered("quotes").empty and view.quotes_table(shown) is None


def test_no_person_stands_in_the_answer(slice_of, results):
    """Neither an agent nor a colleague who is praised by name."""
    people = results.people
    wanted = {*people["agent_id"], *people["agent_name"].dropna(), *people["line_manager"].dropna()}
    wanted |= {part for name in people["agent_name"].dropna() for part in name.split(", ")}
    shown = slice_of()
    cells = {
        word
        for name in ("response", "themes", "terms", "quotes")
        for value in shown.answered(name).select_dtypes(["object", "str"]).to_numpy().ravel()
        for word in str(value).replace(".", " ").replace(",", " ").split()
    }
    assert not cells & wanted


def read(path):
    """Everything that a published file says; a workbook is an archive of texts."""
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return html.unescape("\n".join(book.read(name).decode() for name in book.namelist()))
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_string()
    return html.unescape(path.read_bytes().decode("utf-8", "replace"))


def test_nothing_personal_that_customers_wrote_reaches_any_published_file(sample_run, root, truths):
    """Names, telephone numbers, mail addresses, cards, accounts and addresses are in the exports, and stay there."""
    planted = truths["personal_data_in_comments"]["planted"]
    wanted = [value for values in planted.values() for value in values]
    wanted += [value.replace(" ", "").replace("-", "") for value in (*planted["cards"], *planted["phones"])]
    wanted += [part for name in planted["names"] for part in name.split()]
    exports = "\n".join(path.read_text(encoding="utf-8") for path in sorted((root / "data/samples").rglob("*.csv"))
                        if path.parent.name in ("surveys", "complaints"))  # fmt: skip
    assert all(value in exports for values in planted.values() for value in values)
    published = [path for path in (sample_run.folder / "reports").rglob("*") if path.is_file()]
    assert any(path.name.startswith("13-voice") for path in published)
    escaped = [(value, json.dumps(value)[1:-1]) for value in wanted]
    found = [
        (path.name, value)
        for path in published
        for content in [read(path)]
        for value, other in escaped
        if value in content or other in content
    ]
    assert found == []


def test_a_comment_reaches_no_file_of_the_cache_but_its_own_and_card_numbers_none(sample_run, truths):
    """What is kept apart has names and numbers, but no card; results, answers and slices have nothing."""
    planted = truths["personal_data_in_comments"]["planted"]
    wanted = {kind: [*values, *(value.replace(" ", "").replace("-", "") for value in values)]
              for kind, values in planted.items()}  # fmt: skip
    seen = set()
    for path in (sample_run.folder / ".ccanalysis").rglob("*"):
        if path.is_file():
            content = read(path)
            for kind, values in wanted.items():
                if any(value in content for value in values):
                    seen.add((kind, path.name))
    assert not [name for kind, name in seen if kind == "cards"]
    assert {name for kind, name in seen if kind in ("names", "mails")} == {
        "surveys__text.parquet", "complaints__text.parquet"
    }  # fmt: skip
