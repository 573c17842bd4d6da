"""What customers say of the centre, and who of them was heard.

Scores of surveys are told raw and weighted by inverse response share: where customers with a good contact answer more
often, the answers alone overstate. What customers write is sorted into themes; a theme or a term is called new or
rising only where its share of all texts in the last weeks differs from before by more than chance, corrected for how
many were looked at. Nobody's mood is guessed from words: how satisfied the writers of a theme are is what they said
themselves in the survey.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis import engine
from ccanalysis.questions import personal_data
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import intervals, sampling
from ccanalysis.statistics.comparison import benjamini_hochberg, heterogeneity, rate_ratio_test

# Scores of 4 and 5 are satisfied customers, as in the measure `csat`.
SATISFIED_FROM = 4
# A cell of customers asked has a response share of its own from so many answers on; smaller ones are taken together.
FEWEST_ANSWERS = 20
# The weeks that are compared with all before them.
RECENT_WEEKS = 4
# Texts from which on themes are looked for, and how many of them must be recent.
FEWEST_TEXTS, FEWEST_RECENT = 100, 30
# Texts of a theme from which on it is told and one of them quoted, and of a term.
FEWEST_OF_THEME = 8
# The share of themes, and of terms, called new, rising or falling that may be chance.
FALSE_DISCOVERIES = 0.05
# New is what was practically absent: less than one text of it was to be expected.
PRACTICALLY_ABSENT = 1.0
# A change of this size would be worth knowing; where it cannot be ruled out, it cannot be told.
WORTH_KNOWING = 2.0
# Themes that are looked for: one per so many texts, within bounds.
TEXTS_PER_THEME, FEWEST_THEMES, MOST_THEMES = 80, 4, 20
# A text is of a theme that it fits so well, 0 to 1; terms make one theme where they share so much of their recent
# texts.
FITS_FROM, TOGETHER = 0.25, 0.4
MOST_TERMS = 2_000
# Quotes per theme, how much of one may be masked and how many words
# must be left, texts that are read, and the seed of the factors.
QUOTES, MOST_GAPS, FEWEST_WORDS, MOST_TEXTS, SEED = 2, 2, 3, 50_000, 0
WRITTEN = {"surveys": "comment", "complaints": "words"}

_STRATA = ("resolution", "channel", "team", "reason")
_RESPONSE = ["level", "unit", "n", "answered", "value", "ci_low", "ci_high", "rated"]
_RESPONSE += ["satisfied", "satisfied_low", "satisfied_high"]
_TESTED = ["by", "units", "n", "p_value", "q_value", "outcome"]
_SCORES = ["measure", "n", "raw", "raw_low", "raw_high", "weighted", "weighted_low", "weighted_high"]
_SCORES += ["n_effective", "cells", "bias"]
_COURSE = ["period", "n", "raw", "weighted"]
_COMPARED = ["n_recent", "n_before", "texts_recent", "texts_before", "share_recent", "share_before", "ratio"]
_COMPARED += ["ci_low", "ci_high", "p_value", "q_value", "outcome", "n_to_tell"]
_THEMES = ["theme", "terms", "n", *_COMPARED, "n_complaints", "rated", "satisfied", "satisfied_low", "satisfied_high"]
_TERMS = ["term", "theme", "n", *_COMPARED]
_QUOTES = ["level", "unit", "theme", "place", "source", "words"]
_TOLD = ["source", "n", "texts", "n_recent", "themed"]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `response`: customers asked (`n`) and the share who answered, with interval, and how satisfied they were, of
        the centre and by resolution, channel, team and contact reason. `tested`: whether response differs within each
        of these. `scores`: each score raw and weighted by inverse response share, with intervals. `course`: the share
        of satisfied customers a week, raw and weighted. `texts`: how many texts each table has. `themes` and `terms`:
        how often each came in the last weeks and before, the ratio of both shares with interval, and the `outcome`
        (new, rising, falling, steady, cannot tell). `quotes`: texts of a theme, masked, for the whole centre only.
    """
    asked = _asked(data)
    weights, cells = _weights(asked)
    response = _response(asked)
    themes, terms, quotes, told = _themes(data)
    return {
        "response": Frame(response, ["level", "unit"]),
        "tested": Frame(_tested(response), ["by"]),
        "scores": Frame(_scores(asked, weights, cells), ["measure"]),
        "course": Frame(_course(data, asked, weights), ["period"]),
        "texts": Frame(told, ["source"]),
        "themes": Frame(themes, ["theme"]),
        "terms": Frame(terms, ["term"]),
        "quotes": Frame(quotes, ["level", "unit", "theme", "place"]),
    }


# Surveys.
def _asked(data: Data) -> pd.DataFrame:
    """One row per customer asked: whether they answered, their scores, and what is known of the contact."""
    columns = ["day", "answered", "csat", "nps", "effort", *_STRATA]
    if not data.has("surveys"):
        return pd.DataFrame(columns=columns)
    contact = {"resolution": "NULL", "reason": "NULL"}
    joined = ""
    if data.has("contacts"):
        contact["resolution"] = "CASE WHEN c.resolved THEN 'resolved' WHEN NOT c.resolved THEN 'not resolved' END"
        contact["reason"] = "c.reason"
        joined = "LEFT JOIN contacts c ON c.contact_id = s.contact_id"
    day = engine.quoted("local_date")
    rows = data.sql(
        f"SELECT s.{day} AS day, s.answered_at IS NOT NULL AS answered, s.csat, s.nps, s.effort, "
        f"({contact['resolution']})::VARCHAR AS resolution, s.channel, s.team, "
        f"({contact['reason']})::VARCHAR AS reason "
        f"FROM {data.window('surveys')} s {joined} ORDER BY s.survey_id"
    )
    scores = ["csat", "nps", "effort"]
    rows[scores] = rows[scores].astype(float).where(rows["answered"])
    return rows[columns]


def _rates(part: pd.DataFrame) -> dict[str, Any]:
    n, answered = len(part), int(part["answered"].sum())
    rated = part["csat"].dropna()
    happy = int((rated >= SATISFIED_FROM).sum())
    ends, satisfied = intervals.wilson(answered, n), intervals.wilson(happy, len(rated))
    return {
        "n": n,
        "answered": answered,
        "value": answered / n,
        "ci_low": float(ends.low),
        "ci_high": float(ends.high),
        "rated": len(rated),
        "satisfied": happy / len(rated) if len(rated) else float("nan"),
        "satisfied_low": float(satisfied.low),
        "satisfied_high": float(satisfied.high),
    }


def _response(asked: pd.DataFrame) -> pd.DataFrame:
    if asked.empty:
        return pd.DataFrame(columns=_RESPONSE)
    rows: list[dict[str, Any]] = [{"level": "centre", "unit": "centre"} | _rates(asked)]
    for level in _STRATA:
        known = asked[asked[level].notna()]
        rows += [{"level": level, "unit": str(unit)} | _rates(part) for unit, part in known.groupby(level)]
    return pd.DataFrame(rows, columns=_RESPONSE)


def _tested(response: pd.DataFrame) -> pd.DataFrame:
    """Tell whether customers of different kinds answer differently often."""
    rows: list[dict[str, Any]] = []
    for level in _STRATA:
        part = response[response["level"] == level]
        if len(part) > 1:
            p = heterogeneity(part["answered"], part["n"]).p
            rows.append({"by": level, "units": len(part), "n": int(part["n"].sum()), "p_value": p})
    found = pd.DataFrame(rows, columns=_TESTED)
    if len(found):
        found["q_value"] = benjamini_hochberg(found["p_value"])
        found["outcome"] = np.where(found["q_value"] <= FALSE_DISCOVERIES, "differs", "no difference found")
    return found


def _weights(asked: pd.DataFrame) -> tuple[pd.Series, int]:
    """Weigh every answer by the inverse of the response share of its cell: resolution and channel.

    A cell with few answers is taken together with the others of its resolution, and these with all, so that no
    single answer stands for many customers.
    """
    if asked.empty:
        return pd.Series(dtype=float), 0
    cell = pd.Series("all", index=asked.index)
    for by in (["resolution"], ["resolution", "channel"]):
        finer = asked[by].fillna("not known").astype(str).agg(" / ".join, axis=1)
        answers = asked["answered"].groupby(finer).transform("sum")
        # all cells of a kind or none: what is left over of a split cell would be few again
        enough = (answers >= FEWEST_ANSWERS).groupby(cell).transform("all")
        cell = cell.mask(enough, finer)
    share = asked["answered"].groupby(cell).transform("mean")
    return (1 / share).where(asked["answered"]), int(cell.nunique())


def _scores(asked: pd.DataFrame, weights: pd.Series, cells: int) -> pd.DataFrame:
    """Give each score of those who answered, and as it would be of all who were asked."""
    rows: list[dict[str, Any]] = []
    measures = {
        "csat": (asked["csat"] >= SATISFIED_FROM).astype(float).where(asked["csat"].notna()),
        "nps": 100 * ((asked["nps"] >= 9).astype(float) - (asked["nps"] <= 6)).where(asked["nps"].notna()),
        "effort": asked["effort"].astype(float),
    }
    for measure, values in measures.items():
        known = values.notna()
        if not known.any():
            continue
        value, weight = values[known], weights[known]
        raw, raw_ends = _mean(value, pd.Series(1.0, index=value.index), share=measure == "csat")
        mean, ends = _mean(value, weight, share=measure == "csat")
        row = {"measure": measure, "n": int(known.sum()), "raw": raw, "weighted": mean, "cells": cells}
        row |= {"raw_low": raw_ends[0], "raw_high": raw_ends[1], "weighted_low": ends[0], "weighted_high": ends[1]}
        # the same answers stand behind both, so that chance alone hardly puts one outside the other's interval
        bias = "higher" if raw > ends[1] else "lower" if raw < ends[0] else "none found"
        rows.append(row | {"n_effective": _effective(weight), "bias": bias})
    return pd.DataFrame(rows, columns=_SCORES)


def _effective(weight: pd.Series) -> float:
    """How many equal answers the weighted ones are worth (Kish, Survey Sampling, 1965, 11.7)."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def _mean(value: pd.Series, weight: pd.Series, *, share: bool) -> tuple[float, tuple[float, float]]:
    n = _effective(weight)
    mean, squares = (float((weight * part).sum() / weight.sum()) for part in (value, value**2))
    # sums of floats may pass one by a hair
    ends = intervals.wilson(min(mean, 1.0) * n, n) if share else intervals.mean_from_sums(mean * n, squares * n, n)
    return mean, (float(ends.low), float(ends.high))


def _course(data: Data, asked: pd.DataFrame, weights: pd.Series) -> pd.DataFrame:
    """Give the share of satisfied customers of every week, raw and with the weights of the whole window."""
    rows: list[dict[str, Any]] = []
    days = pd.to_datetime(asked["day"])
    for week in data.weeks().itertuples():
        starts = pd.Timestamp(week.starts_on)
        part = asked[(days >= starts) & (days < starts + pd.Timedelta(days=7)) & asked["csat"].notna()]
        happy = (part["csat"] >= SATISFIED_FROM).astype(float)
        weight = weights[part.index]
        row = {"period": week.week, "n": len(part), "raw": happy.mean() if len(part) else float("nan")}
        rows.append(row | {"weighted": float((happy * weight).sum() / weight.sum()) if len(part) else float("nan")})
    return pd.DataFrame(rows, columns=_COURSE)


# What customers write.
@dataclass(frozen=True)
class _Theme:
    """A theme: its name and terms, which texts are of it, how well each fits, and the q-value of tested terms."""

    label: str
    terms: list[str]
    about: np.ndarray
    fit: np.ndarray
    q_value: float = float("nan")


def _themes(data: Data) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    texts = _texts(data)
    late = (pd.to_datetime(texts["day"]) >= pd.Timestamp(recent_from(data.until))).to_numpy()
    told = pd.DataFrame(
        [
            {
                "source": source,
                "n": _rows_of(data, source),
                "texts": int(own.sum()),
                "n_recent": int((own & late).sum()),
            }
            for source in WRITTEN
            if source in data.texts
            for own in [(texts["source"] == source).to_numpy()]
        ],
        columns=_TOLD,
    )
    nothing = pd.DataFrame(columns=_THEMES), pd.DataFrame(columns=_TERMS), pd.DataFrame(columns=_QUOTES)
    if len(texts) < FEWEST_TEXTS or late.sum() < FEWEST_RECENT or (~late).sum() < FEWEST_RECENT:
        return *nothing, told
    words = personal_data.masked(texts["words"].tolist(), _colleagues(data))
    if not data.has("agents"):
        data.notes.append("No roster was given, so names of colleagues are known by their form alone.")
    vocabulary = _vocabulary(words)
    if vocabulary is None:
        return *nothing, told
    terms = _terms(vocabulary, late)
    found: list[_Theme] = []
    for group in _emerging(terms, vocabulary, late):
        places = [vocabulary.names.index(term) for term in group]
        own = vocabulary.within[:, places]
        label = _label(_telling(group), found)
        terms.loc[terms["term"].isin(group), "theme"] = label
        q_value = float(terms.loc[terms["term"].isin(group), "q_value"].min())
        together = own.sum(axis=1)
        found.append(_Theme(label, _telling(group), together > 0, together.astype(float), q_value))
    left = ~_any(found, len(words))
    for names, own, fit in _standing(vocabulary, left):
        if own.sum() >= FEWEST_OF_THEME:
            found.append(_Theme(_label(names, found), names[:6], own, fit))
    of = {source: (texts["source"] == source).to_numpy() for source in WRITTEN}
    about = _any(found, len(words))
    told["themed"] = [int((about & of[source]).sum()) for source in told["source"]]
    rows = []
    for one in found:
        row = {"theme": one.label, "terms": ", ".join(one.terms)} | _counted(one.about, late)
        row |= {"n_complaints": int((one.about & of["complaints"]).sum()), "q_value": one.q_value}
        rows.append(row | _writers(texts.loc[one.about, "csat"]))
    themes = _compared(rows, _THEMES)
    quotes = _quotes(themes, found, words, texts["source"].to_numpy(), late)
    return themes, terms, quotes, told


def _any(themes: Sequence[_Theme], size: int) -> np.ndarray:
    """Tell which texts are of any theme."""
    found = np.zeros(size, dtype=bool)
    for one in themes:
        found |= one.about
    return found


def _texts(data: Data) -> pd.DataFrame:
    """What customers wrote in the window, in the order of the keys."""
    parts = []
    for table, column in WRITTEN.items():
        if table not in data.texts or not data.has(table):
            continue
        said = pd.read_parquet(data.texts[table])
        if column not in said:
            continue
        key = f"{table.removesuffix('s')}_id"
        csat = "csat" if table == "surveys" else "NULL::DOUBLE AS csat"
        rows = data.sql(f"SELECT {key} AS key, local_date AS day, {csat} FROM {data.window(table)}")
        rows = rows.merge(said.rename(columns={key: "key", column: "words"})[["key", "words"]], on="key")
        rows["words"] = rows["words"].fillna("").astype(str).str.strip()
        parts.append(rows[rows["words"] != ""].assign(source=table).sort_values("key", kind="stable"))
    if not parts:
        return pd.DataFrame(columns=["key", "day", "csat", "words", "source"])
    found = pd.concat(parts, ignore_index=True)
    if len(found) > MOST_TEXTS:
        step = -(-len(found) // MOST_TEXTS)
        data.notes.append(f"Of {len(found):,} texts every {step}th was read.")
        found = found.iloc[::step].reset_index(drop=True)
    return found


def _rows_of(data: Data, table: str) -> int:
    """How many could have written: customers who answered, and complaints."""
    answered = "WHERE answered_at IS NOT NULL" if table == "surveys" else ""
    return int(data.sql(f"SELECT count(*) AS n FROM {data.window(table)} {answered}")["n"].iloc[0])


def _colleagues(data: Data) -> list[str]:
    if not data.has("agents"):
        return []
    found = data.sql(
        "SELECT agent_name AS name FROM agents WHERE agent_name IS NOT NULL "
        "UNION SELECT line_manager FROM agents WHERE line_manager IS NOT NULL ORDER BY 1"
    )
    return found["name"].astype(str).tolist()


@dataclass(frozen=True)
class _Vocabulary:
    """The terms that enough texts share.

    Attributes:
        names: The terms.
        weights: Texts in rows, terms in columns: how much a term tells of a text (tf-idf, rows of length 1).
        within: Texts in rows, terms in columns: whether the term is in the text.
    """

    names: list[str]
    weights: Any
    within: np.ndarray


def _vocabulary(words: Sequence[str]) -> _Vocabulary | None:
    """Weigh the terms of masked texts, of one word or two; None where no term is shared by enough of them."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415  takes a second to load

    makes = TfidfVectorizer(
        strip_accents="unicode",
        stop_words="english",
        token_pattern=r"(?u)\b[^\W\d_]{2,}\b",
        ngram_range=(1, 2),
        min_df=FEWEST_OF_THEME,
        max_df=0.5,
        max_features=MOST_TERMS,
        sublinear_tf=True,
    )
    try:
        weights = makes.fit_transform([personal_data.without_signs(text) for text in words])
    except ValueError:
        return None
    return _Vocabulary([str(term) for term in makes.get_feature_names_out()], weights, (weights > 0).toarray())


def _terms(vocabulary: _Vocabulary, late: np.ndarray) -> pd.DataFrame:
    """Compare every term with before; those that are new or rising are kept.

    Of terms that stand in the same texts only the longest is compared, for it says most.
    """
    rows, seen, names = [], set(), vocabulary.names
    for place in sorted(range(len(names)), key=lambda at: (-len(names[at]), names[at])):
        own = vocabulary.within[:, place]
        if own.tobytes() not in seen:
            seen.add(own.tobytes())
            rows.append({"term": names[place], "theme": ""} | _counted(own, late))
    compared = _compared(rows, _TERMS)
    return compared[compared["outcome"].isin(["new", "rising"])].reset_index(drop=True)


def _emerging(terms: pd.DataFrame, vocabulary: _Vocabulary, late: np.ndarray) -> list[list[str]]:
    """Put the terms that are new or rising together where they stand in the same recent texts, the commonest first."""
    groups: list[list[str]] = []
    within = {term: vocabulary.within[late, vocabulary.names.index(term)] for term in terms["term"]}
    for term in terms.sort_values(["n_recent", "term"], ascending=[False, True])["term"]:
        own = within[term]
        for group in groups:
            if any((own & within[other]).sum() >= TOGETHER * own.sum() for other in group):
                group.append(term)
                break
        else:
            groups.append([term])
    return groups


def _standing(vocabulary: _Vocabulary, left: np.ndarray) -> list[tuple[list[str], np.ndarray, np.ndarray]]:
    """Find the themes of the texts that are left, as non-negative factors of the weights of their terms.

    Returns:
        Per theme its terms, whether each text is of it, and how well each text fits.
    """
    from sklearn.decomposition import NMF  # noqa: PLC0415  takes a second to load

    weights = vocabulary.weights[np.flatnonzero(left)]
    count = min(max(int(left.sum()) // TEXTS_PER_THEME, FEWEST_THEMES), MOST_THEMES, *weights.shape)
    if count < 1 or not weights.nnz:
        return []
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")  # factors that are not settled to the last digit tell the same themes
        factors = NMF(n_components=count, init="nndsvd", random_state=SEED, max_iter=400).fit(weights)
    parts = factors.components_[np.linalg.norm(factors.components_, axis=1) > 0]
    parts = parts / np.linalg.norm(parts, axis=1)[:, None]
    # how far a text points the way of a theme: rounded, so that the last bits decide nothing
    fits = np.round(np.asarray(vocabulary.weights @ parts.T), 6)
    best = np.where(left & (fits.max(axis=1) >= FITS_FROM), fits.argmax(axis=1), -1)
    found = []
    for place, part in enumerate(np.round(parts, 6)):
        first = sorted(np.flatnonzero(part > 0), key=lambda at: (-part[at], vocabulary.names[at]))
        found.append((_telling([vocabulary.names[at] for at in first[:12]]), best == place, fits[:, place]))
    return found


def _telling(terms: Sequence[str]) -> list[str]:
    """Leave out terms of which one before them says as much or more."""
    kept: list[set[str]] = []
    told: list[str] = []
    for term in terms:
        own = set(term.split())
        if not any(own <= other or other <= own for other in kept):
            kept.append(own)
            told.append(term)
    return told


def _label(terms: Sequence[str], taken: Sequence[_Theme]) -> str:
    name = ", ".join(terms[:3])
    return name if name not in {one.label for one in taken} else f"{name} ({len(taken) + 1})"


def _counted(own: np.ndarray, late: np.ndarray) -> dict[str, Any]:
    return {
        "n": int(own.sum()),
        "n_recent": int((own & late).sum()),
        "n_before": int((own & ~late).sum()),
        "texts_recent": int(late.sum()),
        "texts_before": int((~late).sum()),
    }


def _compared(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Compare the share of all texts in the last weeks with that before."""
    if not rows:
        return pd.DataFrame(columns=list(columns))
    tests = [rate_ratio_test(r["n_recent"], r["texts_recent"], r["n_before"], r["texts_before"]) for r in rows]
    # a theme made of terms that were tested already has their q-value, and is not tested again
    known = np.array([row.get("q_value", float("nan")) for row in rows], dtype=float)
    p_values = np.where(np.isnan(known), [test.p for test in tests], float("nan"))
    q_values = np.where(np.isnan(known), benjamini_hochberg(p_values), known)
    for row, test, q_value in zip(rows, tests, q_values, strict=True):
        row["share_recent"] = row["n_recent"] / row["texts_recent"]
        row["share_before"] = row["n_before"] / row["texts_before"]
        row |= {"ratio": test.estimate, "ci_low": float(test.interval.low), "ci_high": float(test.interval.high)}
        row |= {"p_value": test.p, "q_value": float(q_value), "n_to_tell": float("nan")}
        row["outcome"] = _outcome(row)
        more = min(WORTH_KNOWING * row["share_before"], 0.99)
        if row["outcome"] == "cannot tell" and 0 < row["share_before"] < more:
            row["n_to_tell"] = float(np.ceil(sampling.sample_size_two_proportions(row["share_before"], more)))
    found = pd.DataFrame(rows).reindex(columns=list(columns))
    order = {name: place for place, name in enumerate(("new", "rising", "falling", "cannot tell", "steady"))}
    by = found["outcome"].map(order)
    found = found.assign(order=by).sort_values(["order", "n_recent", columns[0]], ascending=[True, False, True])
    return found.drop(columns="order").reset_index(drop=True)


def _outcome(row: Mapping[str, Any]) -> str:
    if row["q_value"] <= FALSE_DISCOVERIES:
        if row["ratio"] < 1:
            return "falling"
        absent = row["share_before"] * row["texts_recent"] < PRACTICALLY_ABSENT
        return "new" if absent else "rising"
    return "cannot tell" if row["ci_high"] >= WORTH_KNOWING else "steady"


def _writers(csat: pd.Series) -> dict[str, Any]:
    """How satisfied those who wrote of a theme said they were, in the survey itself."""
    rated = csat.astype(float).dropna()
    happy = int((rated >= SATISFIED_FROM).sum())
    ends = intervals.wilson(happy, len(rated))
    row: dict[str, Any] = {"rated": len(rated), "satisfied": happy / len(rated) if len(rated) else float("nan")}
    return row | {"satisfied_low": float(ends.low), "satisfied_high": float(ends.high)}


def _quotes(
    themes: pd.DataFrame, found: Sequence[_Theme], words: Sequence[str], source: np.ndarray, late: np.ndarray
) -> pd.DataFrame:
    """Choose texts that are typical of a theme, recent ones of what is new or rising; whole ones before masked ones."""
    shown = personal_data.quotable(words)
    rows: list[dict[str, Any]] = []
    for row in themes.itertuples():
        one = next(theme for theme in found if theme.label == row.theme)
        own, fit = one.about.copy(), one.fit
        if row.outcome in ("new", "rising") and (own & late).sum() >= QUOTES:
            own &= late
        order = sorted(np.flatnonzero(own), key=lambda at: (shown[at].count("["), -fit[at], shown[at]))
        chosen: list[int] = []
        for at in order:
            # two of one wording tell no more than one
            said = len(personal_data.without_signs(shown[at]).split()) >= FEWEST_WORDS
            again = shown[at][:20] in {shown[other][:20] for other in chosen}
            if said and not again and shown[at].count("[") <= MOST_GAPS:
                chosen.append(int(at))
            if len(chosen) == QUOTES:
                break
        rows += [
            {"level": "comment", "unit": "centre", "theme": row.theme, "place": number}
            | {"source": source[at], "words": shown[at]}
            for number, at in enumerate(chosen, start=1)
        ]
    return pd.DataFrame(rows, columns=_QUOTES)


def recent_from(until: date) -> date:
    """Return the first day of the last weeks, which are compared with those before.

    Args:
        until: The first day after the window.
    """
    return until - timedelta(days=7 * RECENT_WEEKS)
