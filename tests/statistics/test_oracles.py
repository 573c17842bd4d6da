"""Reference cases: published tables and reference programs, at the tolerance each case states."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccanalysis.statistics import (
    agreement,
    change,
    comparison,
    decomposition,
    funnel,
    icc,
    intervals,
    pareto,
    queueing,
    resampling,
    sampling,
    shrinkage,
    spc,
)
from ccanalysis.statistics.spc import assurance, variation, xmr

pytestmark = pytest.mark.shared

HANDLERS = {}


def handles(*methods):
    def register(function):
        for method in methods:
            HANDLERS[method] = function
        return function

    return register


class Case:
    """A reference case: its input, its expected numbers and how near they must be."""

    def __init__(self, folder: Path):
        self.folder = folder
        meta = json.loads((folder / "case.json").read_text())
        self.method = meta["method"]
        self.params = meta.get("params", {})
        tolerance = meta["tolerance"]
        if "decimals" in tolerance:
            # references printed to this many places, some of them rounded twice
            self.rtol, self.atol = 0.0, 0.5 * 10 ** -tolerance["decimals"] * 1.02
        else:
            self.rtol, self.atol = tolerance.get("rel", 0.0), tolerance.get("abs", 0.0)

    def table(self, name="input.csv", **options):
        return pd.read_csv(self.folder / name, **options)

    @property
    def expected(self):
        return json.loads((self.folder / "expected.json").read_text())

    def same(self, ours, theirs, *, rtol=None, what=""):
        """Ours equals theirs; where one has no number the other has none either."""
        np.testing.assert_allclose(
            np.asarray(ours, dtype=float),
            np.asarray(theirs, dtype=float),
            rtol=self.rtol if rtol is None else rtol,
            atol=self.atol,
            equal_nan=True,
            err_msg=what,
        )


def test_case(case_folder):
    """Every reference case is reproduced at its own tolerance."""
    case = Case(case_folder)
    HANDLERS[case.method](case)


def test_every_case_has_a_handler(case_folder):
    """A new kind of reference case fails until something handles it."""
    assert Case(case_folder).method in HANDLERS


# XmR ------------------------------------------------------------------------------------------------


LABELS = {
    ("outside_limits", 1): "Above UCL",
    ("outside_limits", -1): "Below LCL",
    ("trend", 1): "7 Point Trend (Increasing)",
    ("trend", -1): "7 Point Trend (Decreasing)",
    ("two_of_three", 1): "2 in 3 Above CL",
    ("two_of_three", -1): "2 in 3 Below CL",
    ("shift", 1): "7 Points Above CL",
    ("shift", -1): "7 Points Below CL",
}
BETTER = {"increase": "up", "decrease": "down", "neutral": "neither"}
ASSURANCE = {"pass": "consistent_pass", "fail": "consistent_fail", "inconsistent": "inconsistent", "none": None}


def _point_type(point):
    return point if point == "common_cause" else "special_cause_" + point


def _variation_type(point):
    return _point_type(point) if point.startswith(("common", "neutral")) else _point_type(point).rsplit("_", 1)[0]


@handles("xmr_ptd")
def _xmr_ptd(case):
    better = BETTER[case.params["improvement_direction"]]
    data = case.table()
    units = data.groupby("unit", sort=False) if "unit" in data else [("no facet", data)]
    expected = case.table("expected_points.csv", keep_default_na=True).set_index("unit")
    icons = {icon["unit"]: icon for icon in case.expected["icons"]}
    checked = 0
    for unit, rows in units:
        target = case.params.get("target")
        if isinstance(target, dict):
            target = target.get(unit)
        ordered = rows.sort_values("date")
        chart = xmr(
            pd.Series(ordered["value"].to_numpy(), index=pd.DatetimeIndex(ordered["date"])),
            better=better,
            target=target,
            freeze=case.params.get("fix_after_n_points"),
            rebase=case.params.get("rebase", ()),
            screened=case.params.get("screen_outliers"),
        )
        theirs = expected.loc[unit]
        case.same(chart["value"], theirs["y"])
        case.same(chart["centre"], theirs["mean"])
        case.same(chart["lower"], theirs["lpl"])
        case.same(chart["upper"], theirs["upl"])
        assert chart["part"].tolist() == theirs["rebase_group"].tolist()
        # a trend is labelled by its own direction, every other rule by the side of the line
        better_sign = {"up": 1, "down": -1, "neither": 1}[better]
        sign = {"improvement_high": better_sign, "improvement_low": better_sign}
        sign |= {"concern_high": -better_sign, "concern_low": -better_sign, "neutral_high": 1, "neutral_low": -1}
        ours = [
            LABELS[rule, sign[point]] if rule else "Common Cause"
            for rule, point in zip(chart["rule"], chart["point"], strict=True)
        ]
        assert ours == theirs["special_cause_type"].tolist()
        outside = chart["rules"].str.contains("outside_limits")
        assert outside.tolist() == theirs["outside_limits"].tolist()
        assert [_variation_type(point) for point in chart["point"]] == theirs["point_type"].tolist()
        short = chart.groupby("part")["value"].transform("size") < 13
        assert short.tolist() == theirs["short_group_warning"].tolist()
        assert _variation_type(variation(chart).icon) == icons[unit]["variation"]
        assert ASSURANCE[assurance(chart, better=better).icon] == icons[unit].get("assurance")
        checked += len(chart)
    assert checked == case.expected["n_points"]


# Other control charts -------------------------------------------------------------------------------


def _runs_columns(chart):
    runs = spc.run_test(chart).loc[chart["part"]]
    return {
        "n.obs": runs["n"],
        "n.useful": runs["n_useful"],
        "longest.run": runs["longest_run"],
        "longest.run.max": runs["longest_run_max"],
        "n.crossings": runs["crossings"],
        "n.crossings.min": runs["crossings_min"],
        "runs.signal": runs["signal"],
    }


def _subgroup_table(data):
    grouped = data.groupby("sample")["obs"]
    return grouped.mean().to_numpy(), grouped.std().to_numpy(), grouped.size().to_numpy()


def _first_present(data, *names):
    return next((data[name].to_numpy() for name in names if name in data), None)


@handles("qic")
def _qic(case):
    data, params, kind = case.table(), case.params, case.params["chart"]
    theirs = case.table("expected_points.csv")
    how = {"freeze": params.get("freeze"), "exclude": [i - 1 for i in params.get("exclude", [])] or None}
    if "part" in params:
        parts = params["part"] if isinstance(params["part"], list) else [params["part"]]
        how |= {"rebase": parts, "freeze": None}
    screened = params.get("screenedmr", True)
    multiply = params.get("multiply", 1)
    bounds = {"low": -np.inf}
    if kind in ("xbar", "s"):
        mean, sd, n = _subgroup_table(data)
        chart = spc.xbar_chart(mean, sd, n, **how) if kind == "xbar" else spc.s_chart(sd, n, **how)
        bounds = {} if kind == "s" else bounds
    elif kind == "run" and "n" in params:
        sums = data.groupby("month")[[params["y"], params["n"]]].sum()
        chart = spc.run_chart((sums[params["y"]] / sums[params["n"]] * multiply).to_numpy(), **how)
    elif kind in ("p", "pp", "u", "up", "ip"):
        bounds = {"high": multiply} if kind in ("p", "pp", "ip") else {}
        above, below = theirs["y.sum"].to_numpy(), theirs["n"].to_numpy()
        assert _first_present(data, "count", "r").tolist() == above.tolist()
        assert _first_present(data, "size", "meters", "n").tolist() == below.tolist()
        chart = {
            "p": lambda: spc.p_chart(above, below, multiply=multiply, **how),
            "pp": lambda: spc.p_prime_chart(above, below, multiply=multiply, screened=screened, **how),
            "u": lambda: spc.u_chart(above, below, multiply=multiply, **how),
            "up": lambda: spc.u_prime_chart(above, below, multiply=multiply, screened=screened, **how),
            "ip": lambda: spc.i_prime_chart(above / below * multiply, below, screened=screened, **how),
        }[kind]()
    else:
        y = _first_present(data, params.get("y", "-"), "n", "cost", "count", "hours", "g", "value", "y")
        bounds = {} if kind in ("c", "g", "t", "mr") else bounds
        chart = {
            "i": lambda: spc.i_chart(y, screened=screened, **how),
            "mr": lambda: spc.mr_chart(y, **how),
            "c": lambda: spc.c_chart(y, **how),
            "g": lambda: spc.g_chart(y, **how),
            "t": lambda: spc.t_chart(y, screened=screened, **how),
            "run": lambda: spc.run_chart(y, **how),
        }[kind]()
    shown = spc.clipped(chart, **bounds)
    case.same(shown["value"], theirs["y"], what="value")
    names = {"cl": "centre", "lcl": "lower", "ucl": "upper", "lcl.95": "lower_near", "ucl.95": "upper_near"}
    for name, ours in names.items():
        case.same(shown[ours], theirs[name], what=name)
    outside = chart["rules"].str.contains("outside_limits")
    assert outside.tolist() == theirs["sigma.signal"].tolist()
    for name, ours in _runs_columns(chart).items():
        assert ours.tolist() == theirs[name].tolist(), name


@handles("qcc")
def _qcc(case):
    data, kind = case.table(), case.params["type"]
    expected, how = case.expected, {"rule_set": "western_electric"}
    size = data.get("size")
    count = data.iloc[:, 0]
    chart, per_unit = {
        "c": lambda: (spc.c_chart(count, **how), np.sqrt),
        "u": lambda: (spc.u_chart(count, size, **how), np.sqrt),
        "p": lambda: (spc.p_chart(count, size, **how), lambda m: np.sqrt(m * (1 - m))),
        "xbar.one": lambda: (spc.i_chart(count, screened=False, **how), None),
    }[kind]()
    shown = chart if kind == "xbar.one" else spc.clipped(chart, high=1 if kind == "p" else np.inf)
    centre = chart["centre"].iloc[0]
    case.same(centre, expected["center"])
    spread = per_unit(centre) if per_unit else (chart["upper"].iloc[0] - centre) / 3
    if kind == "p":  # qcc gives the spread of one share where all denominators are equal
        spread = spread / np.sqrt(size.iloc[0])
    case.same(spread, expected["std_dev"])
    limits = np.broadcast_to(np.array(expected["limits"]), (len(chart), 2))
    case.same(shown[["lower", "upper"]], limits)
    case.same(chart["value"], expected["statistics"])
    # qcc labels by rule number and applies rules 1 (limits) and 4 (eight on one side) unless told otherwise
    numbers = [1 if "outside_limits" in rules else 4 if "shift" in rules else None for rules in chart["rules"]]
    assert numbers == expected["violations"]


@handles("ewma")
def _ewma(case):
    expected = case.expected
    chart = spc.ewma(case.table()["x"], weight=case.params["lambda"], sigmas=case.params["nsigmas"])
    case.same(chart["average"], expected["y"])
    case.same(chart["centre"].iloc[0], expected["center"])
    case.same((chart["upper"] - chart["centre"]) / case.params["nsigmas"], expected["sigma"])
    case.same(chart[["lower", "upper"]], expected["limits"])


@handles("cusum")
def _cusum(case):
    expected, params = case.expected, case.params
    values = case.table()["x"]
    chart = spc.cusum(values, shift=params["se_shift"], decision=params["decision_interval"])
    case.same(chart["above"], expected["pos"])
    case.same(chart["below"], expected["neg"])
    case.same(values.mean(), expected["center"])
    case.same(values.diff().abs().mean() / 1.128, expected["std_dev"])
    assert (chart["signal"] == 1).tolist() == [flag is not None for flag in expected["violations"]["upper"]]
    assert (chart["signal"] == -1).tolist() == [flag is not None for flag in expected["violations"]["lower"]]


@handles("spc_limits")
def _spc_limits(case):
    data, kind = case.table(), case.params["chart_type"].strip('"')
    per = float(case.params.get("multiplier", 1))
    how, y = {}, data["numerators"].to_numpy(dtype=float)
    if "groupings" in data:
        how["rebase"] = data.index[data["groupings"].ne(data["groupings"].shift())].tolist()
    n = data["denominators"].to_numpy(dtype=float) if "denominators" in data else None
    sd = data["xbar_sds"].to_numpy() if "xbar_sds" in data else None
    chart, low, high = {
        "i": lambda: (spc.i_chart(y if n is None else y / n, screened=False, **how), -np.inf, np.inf),
        "run": lambda: (spc.run_chart(y if n is None else y / n, **how), -np.inf, np.inf),
        "mr": lambda: (spc.mr_chart(y if n is None else y / n, **how), 0, np.inf),
        "c": lambda: (spc.c_chart(y, **how), 0, np.inf),
        "g": lambda: (spc.g_chart(y, **how), 0, np.inf),
        "t": lambda: (spc.t_chart(y, **how), 0, np.inf),
        "p": lambda: (spc.p_chart(y, n, multiply=100, **how), 0, 100),
        "pp": lambda: (spc.p_prime_chart(y, n, multiply=100, **how), 0, 100),
        "u": lambda: (spc.u_chart(y, n, multiply=per, **how), 0, np.inf),
        "up": lambda: (spc.u_prime_chart(y, n, multiply=per, **how), 0, np.inf),
        "xbar": lambda: (spc.xbar_chart(y, sd, n, **how), -np.inf, np.inf),
        "s": lambda: (spc.s_chart(sd if sd is not None else y, n, **how), 0, np.inf),
    }[kind]()
    shown = spc.clipped(chart, low, high)
    names = {
        "ul99": "upper",
        "ul95": "upper_near",
        "ll95": "lower_near",
        "ll99": "lower",
        "targets": "centre",
        "values": "value",
    }
    compared = [name for name in case.expected if name in names]
    assert compared
    for name in compared:
        case.same(shown[names[name]], case.expected[name], what=name)


# Intervals ------------------------------------------------------------------------------------------


def _level(text):
    return float(str(text).rstrip("%")) / 100


def _by_level(table):
    """Pairs of level and the columns that hold its lower and upper end."""
    if "lowercl" in table:
        return [(_level(level), rows, "lowercl", "uppercl") for level, rows in table.groupby("confidence")]
    pairs = {"95_0": 0.95, "99_8": 0.998}
    return [(level, table, f"lower{name}cl", f"upper{name}cl") for name, level in pairs.items()]


@handles("ci_wilson")
def _wilson(case):
    for level, rows, low, high in _by_level(case.table("table.csv")):
        ours = intervals.wilson(rows["Numerator"], rows["Denominator"], level=level)
        per = rows["multiplier"]
        case.same(rows["Numerator"] / rows["Denominator"] * per, rows["value"])
        case.same(ours.low * per, rows[low])
        case.same(ours.high * per, rows[high])


@handles("ci_rate")
def _rate(case):
    for level, rows, low, high in _by_level(case.table("table.csv")):
        ours = intervals.byar(rows["Numerator"], rows["Denominator"], level=level)
        per = rows["multiplier"]
        case.same(ours.low * per, rows[low])
        case.same(ours.high * per, rows[high])


@handles("ci_byar_wilson")
def _byar_wilson(case):
    for row in case.table("table.csv").itertuples():
        level = _level(row.confidence)
        if row.method == "Byars":
            ours = intervals.byar(row.x, level=level, exact_below=0)
        else:
            ours = intervals.wilson(row.x, row.n, level=level)
        case.same(ours, [row.lowercl, row.uppercl])


@handles("ci_mean_t")
def _mean_t(case):
    data = case.table()
    for row in case.table("expected.csv").to_dict("records"):
        values = data["values"][(data["area"] == row["area"]) | (row["area"] == "No grouping")]
        sums = (values.sum(), (values**2).sum(), len(values))
        case.same([sums[0], sums[2], sums[0] / sums[2]], [row["value_sum"], row["value_count"], row["value"]])
        for level, name in ((0.95, "95_0"), (0.998, "99_8")):
            theirs = [row[f"lower{name}cl"], row[f"upper{name}cl"]]
            case.same(intervals.mean_t(values, level=level), theirs)
            case.same(intervals.mean_from_sums(*sums, level=level), theirs)


@handles("ci_poisson")
def _poisson(case):
    data = case.table()
    case.same(np.column_stack(intervals.poisson_exact(data["x"], data["t"])), case.expected["exact"])


@handles("ci_rate_ratio")
def _rate_ratio(case):
    for row, theirs in zip(case.table().itertuples(index=False), case.expected["cases"], strict=True):
        ours = comparison.rate_ratio_test(*row)
        case.same([ours.estimate, *ours.interval, ours.p], [theirs[k] for k in ("rate_ratio", "low", "high", "p")])


@handles("ci_prop_diff_newcombe")
def _newcombe(case):
    data = case.table()
    low, high = intervals.newcombe(data["x1"], data["n1"], data["x2"], data["n2"])
    theirs = np.array(case.expected["epi_ci_pd"])
    difference = data["x1"] / data["n1"] - data["x2"] / data["n2"]
    case.same(np.column_stack([difference, low, high]), theirs[:, 4:7])


@handles("lognormal_mean_ci")
def _lognormal_mean(case):
    values, expected = case.table()["x"], case.expected
    logs = np.log(values)
    sums = (logs.sum(), (logs**2).sum(), len(logs))
    case.same([logs.mean(), logs.std(), values.mean()], [expected[k] for k in ("meanlog", "sdlog", "mean")])
    for method in ("zou", "cox"):
        theirs = expected[method]
        case.same(intervals.log_mean(*sums, method=method), [theirs["lcl"], theirs["ucl"]], what=method)


@handles("quantile_ci_equal_tailed")
def _quantile_interval(case):
    values = case.table()["x"]
    for theirs in case.expected["cases"]:
        ours = intervals.quantile_order(values, theirs["p"], level=theirs["conf"])
        # R writes an end that the sample is too small for as infinite, which JSON shows as null or text
        wanted = [np.nan if not np.isfinite(float(end or "nan")) else end for end in (theirs["low"], theirs["high"])]
        case.same(ours, wanted)
        case.same(np.quantile(values, theirs["p"]), theirs["est"])


@handles("quantile_hd")
def _harrell_davis(case):
    values, expected = case.table()["x"], case.expected
    for share, estimate, error in zip(expected["p"], expected["est"], expected["se"], strict=True):
        ours = intervals.harrell_davis(values, share)
        case.same(ours.estimate, estimate)
        case.same(ours.standard_error, error, rtol=2e-2)


@handles("quantile_types")
def _quantile_types(case):
    names = [
        "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen",
        "weibull", "linear", "median_unbiased", "normal_unbiased",
    ]  # fmt: skip
    values = case.table()["x"]
    for name, theirs in zip(names, case.expected["types"], strict=True):
        ours = [intervals.quantile(values, share, method=name) for share in case.expected["probs"]]
        case.same(ours, theirs, what=name)


@handles("bootstrap")
def _bootstrap(case):
    values, expected = case.table()["x"], case.expected
    case.same(values.mean(), expected["mean"])
    for name, method in (("perc", "percentile"), ("bca", "BCa"), ("basic", "basic")):
        case.same(resampling.bootstrap(values, method=method, resamples=20_000), expected[name], what=name)


# Comparison -----------------------------------------------------------------------------------------


@handles("fdr")
def _fdr(case):
    p, expected = case.table()["p"], case.expected
    adjust = {
        "bh": comparison.benjamini_hochberg,
        "by": comparison.benjamini_yekutieli,
        "holm": comparison.holm,
    }
    for name, function in adjust.items():
        case.same(function(p), np.array(expected[name], dtype=float), what=name)
    if "published_rejections_q05_bh" in expected:
        assert (comparison.benjamini_hochberg(p) <= 0.05).sum() == expected["published_rejections_q05_bh"]
        assert (p * len(p) <= 0.05).sum() == expected["published_rejections_bonferroni"]


@handles("test_prop_vs_target")
def _proportion_vs_target(case):
    for row, theirs in zip(case.table().itertuples(index=False), case.expected["cases"], strict=True):
        ours = comparison.proportion_test(*row)
        case.same([ours.p, *ours.interval], [theirs["p_two"], *theirs["ci"]])
        case.same(intervals.clopper_pearson(row.x, row.n), theirs["ci"])
        case.same(comparison.proportion_below_target(*row), theirs["p_less"])
        case.same(comparison.proportion_above_target(*row), theirs["p_greater"])


@handles("test_rate_vs_target")
def _rate_vs_target(case):
    for row, theirs in zip(case.table().itertuples(index=False), case.expected["cases"], strict=True):
        ours = comparison.rate_test(*row)
        case.same([ours.p, *ours.interval, ours.estimate], [theirs["p_two"], *theirs["ci"], theirs["est"]])


@handles("test_prop_k_groups")
def _heterogeneity(case):
    data, expected = case.table(), case.expected
    ours = comparison.heterogeneity(data["x"], data["n"])
    case.same([ours.statistic, ours.degrees_of_freedom, ours.p], [expected[k] for k in ("chisq", "df", "p")])


def _two_groups(case):
    data = case.table().dropna(axis=1)
    label = next(name for name in ("group", "g") if name in data)
    value = next(name for name in ("weight", "extra", "value", "x", "len") if name in data)
    names = list(dict.fromkeys(data[label]))
    return [data[value][data[label] == name].to_numpy() for name in names], names


@handles("welch_t")
def _welch(case):
    (first, second), _ = _two_groups(case)
    theirs = case.expected["welch"]
    ours = comparison.welch(first, second)
    case.same(
        [ours.statistic, ours.degrees_of_freedom, ours.p, *ours.interval],
        [theirs["t"], theirs["df"], theirs["p"], *theirs["ci"]],
    )
    if "one_sample_g1_mu1" in case.expected:
        theirs = case.expected["one_sample_g1_mu1"]
        ours = comparison.mean_test(first, 1)
        case.same([ours.statistic, ours.p, *ours.interval], [theirs["t"], theirs["p"], *theirs["ci"]])


@handles("log_ratio_of_geometric_means")
def _geometric_means(case):
    groups, names = _two_groups(case)
    order = np.argsort(names)  # R compares factor levels in alphabetical order
    ours = comparison.ratio_of_geometric_means(groups[order[0]], groups[order[1]])
    case.same(
        [ours.estimate, *ours.interval, ours.p], [case.expected["ratio"], *case.expected["ci"], case.expected["p"]]
    )


@handles("hodges_lehmann")
def _hodges_lehmann(case):
    (first, second), _ = _two_groups(case)
    expected = case.expected
    ours = comparison.hodges_lehmann(first, second)
    case.same(
        [ours.statistic, ours.p, ours.estimate, *ours.interval],
        [expected["W"], expected["p_two"], expected["hl"], *expected["ci"]],
    )


# Shrinkage ------------------------------------------------------------------------------------------


@handles("beta_binomial_shrinkage")
def _beta_binomial(case):
    data, expected = case.table(), case.expected
    ours = shrinkage.beta_binomial(data["hits"], data["ab"])
    case.same(ours.value, expected["posterior_mean"])
    case.same(ours.prior["mean"], expected["mu"])
    case.same([ours.prior["alpha"], ours.prior["beta"]], [expected["alpha"], expected["beta"]], rtol=5e-3)
    rho = 1 / (ours.prior["alpha"] + ours.prior["beta"] + 1)
    case.same(rho, expected["rho"], rtol=5e-3)


@handles("james_stein")
def _james_stein(case):
    data, published = case.table(), case.expected["published"]
    share = data["hits"] / data["ab"]
    variance = share.mean() * (1 - share.mean()) / data["ab"].iloc[0]
    ours = shrinkage.james_stein(share, variance)
    case.same(ours, published["js"])
    case.same(share.mean(), published["grand_mean"])
    case.same(np.ptp(ours) / np.ptp(share), published["c"])


@handles("random_intercept_shrinkage")
def _random_intercept(case):
    data, expected = case.table(), case.expected
    ours = shrinkage.random_intercept(data.iloc[:, 1], data.iloc[:, 0])
    case.same(ours.prior["mean"], expected["mu"])
    case.same(ours.prior["variance_between"], expected["var_between"])
    case.same(ours.prior["variance_within"], expected["var_within"])
    case.same(ours.prior["icc"], expected["icc"])
    case.same(ours.value - ours.prior["mean"], list(expected["blup"].values()), rtol=case.rtol)
    case.same(ours.reliability, np.full(len(ours.value), next(v for k, v in expected.items() if "reliability" in k)))
    # lme4's conditional standard deviations leave out that the mean is estimated too
    conditional = np.sqrt(ours.reliability * ours.prior["variance_within"] / data.groupby(data.columns[0]).size())
    case.same(conditional, expected["cond_sd"])


@handles("normal_normal_shrinkage")
def _normal_normal(case):
    data = case.table()
    for method, theirs in case.expected.items():
        ours = shrinkage.normal_normal(data["yi"], np.sqrt(data["vi"]), method=method, stop="metafor")
        names = {"tau2": "tau2", "mean": "mu", "se_mean": "se", "q": "Q", "i2": "I2"}
        for name, name_there in names.items():
            case.same(ours.prior[name], theirs[name_there], what=f"{method} {name}")
        case.same(ours.value, theirs["blup"], what=method)
        case.same(ours.posterior.std(), theirs["blup_se"], what=method)
        case.same(ours.reliability, theirs["reliability"], what=method)


# Funnels --------------------------------------------------------------------------------------------


PHE_FLAGS = {
    "low_998": "Low (0.001)",
    "low_95": "Low (0.025)",
    "": "Not significant",
    "high_95": "High (0.025)",
    "high_998": "High (0.001)",
}


@handles("funnel_phe_prop")
def _funnel_proportion(case):
    data, limits = case.table(), case.table("expected_limits.csv")
    centre = data["numerator"].sum() / data["denominator"].sum()
    case.same(np.full(len(limits), centre * 100), limits["Baseline"])
    for level, low, high in (
        (0.95, "Lower2s0025limit", "Upper2s0025limit"),
        (0.998, "Lower3s0001limit", "Upper3s0001limit"),
    ):
        ours = funnel.proportion_limits(limits["Population"], centre, level=level)
        case.same(ours.low * 100, limits[low])
        case.same(ours.high * 100, limits[high])
    flags = funnel.proportion_flags(data["numerator"], data["denominator"])
    assert [PHE_FLAGS[flag] for flag in flags] == data["significance"].tolist()


def _bisected(events, expected):
    """Where the reference's search by halves ends, given where it should end; its steps stop at 1e-7.

    For one event that is 5e-5 away from the exact limit, ten times the tolerance of the case.
    """
    exact = expected / (1 + events + expected)
    place, step = np.full(len(exact), 0.5), 0.5
    while step > 1e-7:
        step /= 2
        place = place + np.where(place < exact, step, -step)
    return (1 + events) * place / (1 - place)


@handles("funnel_phe_rate")
def _funnel_rate(case):
    units = case.table("input_funnels.csv")
    for name, file in (("dsr", "expected_dsr3y.csv"), ("crude", "expected_crude3y.csv")):
        events = units["ev"].where((units["ev"] < units["ev"].max()) | (name == "dsr"), 5)
        centre = events.sum() / (events / units["rate"]).sum()
        theirs = case.table(file)
        case.same(np.full(len(theirs), centre), theirs["baseline"])
        for level, s in ((0.95, "2s"), (0.998, "3s")):
            ours = funnel.rate_limits(theirs["Events"], centre, level=level, years=3, multiply=1e5)
            for side in ("lower", "upper"):
                found = _bisected(theirs["Events"], ours[f"{side}_exposure"] * 3 * centre / 1e5) / centre * 1e5 / 3
                case.same(found, theirs[f"{side}_{s}_population_1_year"])
                case.same(theirs["Events"] / found / 3 * 1e5, theirs[f"{side}_{s}_limit"])
                np.testing.assert_allclose(ours[side], theirs[f"{side}_{s}_limit"], rtol=1e-4)
    data = case.table()
    for kind, rows in (("with_0", data), ("without_0", data[data["count"] > 0])):
        for per in (100_000, 100):
            exposure = rows["pop"]
            flags = funnel.rate_flags(rows["count"], exposure)
            theirs = rows[f"crude_per_{per}_{kind}"]
            assert [PHE_FLAGS[flag] for flag in flags] == theirs.tolist()
            theirs = data[f"dsr_per_{per}_{kind}"]
            enough = data["count"] >= 10  # a standardised rate of fewer events is not judged
            flags = funnel.rate_flags(data["count"][enough], (data["count"] / data["rate_dsr"])[enough])
            assert [PHE_FLAGS[flag] for flag in flags] == theirs[enough].tolist()


@handles("funnelplotr")
def _funnelplotr(case):
    params, expected = case.params, case.expected
    theirs = case.table("expected_units.csv", dtype={"group": str}).set_index("group")
    data = case.table(dtype={"group": str}).set_index("group").loc[theirs.index]
    above, below = data["numerator"], data["denominator"]
    kind, trim = params["data_type"], params.get("trim_by", 0.1)
    root = params.get("sr_method") == "CQC"

    def draw(adjust):
        if kind == "PR":
            return funnel.proportion_funnel(above, below, trim=trim, adjust=adjust)
        if kind == "RC":
            return funnel.count_ratio_funnel(above, below, trim=trim, adjust=adjust)
        method = "root" if root else "log"
        return funnel.ratio_funnel(above, below.round(2), method=method, trim=trim, adjust=adjust)

    adjusted, plain = draw(True), draw(False)
    case.same([adjusted.phi, adjusted.tau2], [expected["phi"], expected["tau2"]])
    case.same(adjusted.units["z"], theirs["Uzscore"])
    rounded = below.round(2) if kind == "SR" else below  # ratios are shown before rounding
    case.same(adjusted.units["value"] * rounded / below, theirs["rr"])
    outlying = pd.Series(False, index=theirs.index)
    for ours, level in (("95", 0.95), ("998", 0.998)):
        name = "95" if ours == "95" else "99"
        low, high = adjusted.units[f"lower_{ours}"], adjusted.units[f"upper_{ours}"]
        plain_low, plain_high = plain.units[f"lower_{ours}"], plain.units[f"upper_{ours}"]
        if root:  # FunnelPlotR leaves these limits on the root scale; ours are squared back
            low, high = np.sqrt(low), np.sqrt(high)
        if kind == "PR":  # FunnelPlotR's plain limits are on the arcsine scale; ours are Wilson's
            plain_low, plain_high = funnel.proportion_limits(below, plain.centre, level=level, scale="arcsine")
        case.same(low, theirs[f"OD{name}LCL"])
        case.same(high, theirs[f"OD{name}UCL"])
        case.same(plain_low, theirs[f"LCL{name}"])
        case.same(plain_high, theirs[f"UCL{name}"])
        if params["limit"] == int(name):
            outlying = (theirs["rr"] < low) | (theirs["rr"] > high)
            if not root:
                flagged = adjusted.units["flag"].str.endswith("998" if ours == "998" else ("95", "998"))
                assert flagged.tolist() == outlying.tolist()
    assert adjusted.adjusted == expected["draw_adjusted"]
    assert sorted(theirs.index[outlying]) == sorted(expected["outliers"])


# Agreement ------------------------------------------------------------------------------------------


def _expanded(table):
    """A contingency table as one row per unit."""
    counts = table.to_numpy()
    return [[i, j] for i, j in np.ndindex(counts.shape) for _ in range(int(counts[i, j]))]


@handles("kappa2_table")
def _kappa_table(case):
    ratings, expected = _expanded(case.table()), case.expected
    # given a table of counts, the reference divides variances by n; given ratings, by n - 1, as ours
    n = len(ratings)
    ours = {
        "kappa_unw": agreement.cohen_kappa(ratings),
        "kappa_lin": agreement.cohen_kappa(ratings, weights="linear"),
        "kappa_quad": agreement.cohen_kappa(ratings, weights="quadratic"),
        "ac1": agreement.gwet_ac(ratings),
        "ac2_quad": agreement.gwet_ac(ratings, weights="quadratic"),
        "scott": agreement.fleiss_kappa(ratings),
        "bp": agreement.brennan_prediger(ratings),
    }
    for name, coefficient in ours.items():
        if name in expected:
            case.same(coefficient.estimate, expected[name]["coeff"], what=name)
            case.same(coefficient.standard_error * np.sqrt((n - 1) / n), expected[name]["se"], what=name)
    if "kripp" in expected:  # its interval is a bootstrap here
        alpha = agreement.krippendorff_alpha(ratings, resamples=0)
        case.same(alpha.estimate, expected["kripp"]["coeff"])
    if "psych_kappa" in expected:
        plain, squared = ours["kappa_unw"], ours["kappa_quad"]
        case.same([plain.estimate] * 2, [expected["psych_kappa"], expected["irrCAC_kappa"]])
        case.same(squared.estimate, expected["psych_weighted_quadratic"])
        variance = plain.standard_error**2 * (n - 1) / n
        case.same([variance, variance**0.5], [expected["psych_var_kappa"], expected["irrCAC_se"]])


@handles("kappa2")
def _kappa(case):
    ratings, order = case.table(), case.params.get("order")
    for name, weights in (("unweighted", "none"), ("linear", "linear"), ("squared", "quadratic")):
        if name in case.expected:
            theirs = case.expected[name]
            ours = agreement.cohen_kappa(ratings, weights=weights, categories=order)
            case.same(ours.estimate, theirs["kappa"])
            case.same(agreement.cohen_z(ratings, weights=weights, categories=order), theirs["z"])


@handles("agreement_multi")
def _agreement_multi(case):
    ratings, expected = case.table(), case.expected
    case.same(agreement.fleiss_kappa(ratings).estimate, expected["fleiss_kappa"])
    case.same(agreement.fleiss_z(ratings), expected["fleiss_z"])
    case.same(agreement.conger_kappa(ratings), expected["fleiss_kappa_exact_conger"])
    case.same(agreement.unanimous(ratings) * 100, expected["percent_agree"])
    case.same(agreement.krippendorff_alpha(ratings, resamples=0).estimate, expected["krippendorff_nominal"])
    ours = {
        "gwet_ac1": agreement.gwet_ac(ratings),
        "irrCAC_fleiss": agreement.fleiss_kappa(ratings),
        "brennan_prediger": agreement.brennan_prediger(ratings),
    }
    for name, coefficient in ours.items():
        theirs = expected[name]
        case.same(
            [coefficient.estimate, coefficient.standard_error, coefficient.observed, coefficient.expected],
            [theirs["coeff"], theirs["se"], theirs["pa"], theirs["pe"]],
            what=name,
        )
        low, high = (float(end) for end in theirs["ci"].strip("()").split(","))
        np.testing.assert_allclose(coefficient.interval, [low, high], atol=6e-4)  # printed to 3 places


@handles("krippendorff")
def _krippendorff(case):
    names = {name: value for name, value in case.expected.items() if name.startswith("kripp_")}
    assert names
    for name, value in names.items():
        measurement = name.removeprefix("kripp_")
        ours = agreement.krippendorff_alpha(case.table(), measurement=measurement, resamples=0)
        case.same(ours.estimate, value, what=name)


@handles("icc")
def _icc(case):
    scores = case.table()
    for name, theirs in case.expected["icc"].items():
        model, kind, unit = name.split("_")
        ours = icc.icc(scores, model=model, kind=kind, average=unit == "average")
        case.same(
            [ours.estimate, *ours.interval, ours.f, *ours.degrees_of_freedom, ours.p],
            [theirs[key] for key in ("icc", "lbound", "ubound", "F", "df1", "df2", "p")],
            what=name,
        )
    for measurement, value in case.expected.get("kripp", {}).items():
        ours = agreement.krippendorff_alpha(scores, measurement=measurement, resamples=0)
        case.same(ours.estimate, value, what=measurement)


# Decomposition --------------------------------------------------------------------------------------


def _rate_function(text):
    """The rate as the case writes it: "product", or an expression of the factors with sum()."""
    if text == "product":
        return None
    code = compile(text, "rate", "eval")
    return lambda factors: float(eval(code, {"__builtins__": {}, "sum": np.sum, "exp": np.exp}, dict(factors)))


@handles("dasgupta")
def _das_gupta(case):
    data, params = case.table(), case.params
    theirs = {row["factor"]: row for row in case.expected["table"]}
    populations = [name for name in theirs["crude"] if name not in ("factor", "diff", "decomp", "_row")]
    sides = []
    for population in populations:
        rows = data[data["pop"].astype(str) == str(population)]
        if "vars" in params:
            side = rows.set_index(params["vars"])
        else:
            side = {name: rows[name].to_numpy() for name in theirs if name != "crude"}
            if "weights" in params:
                side[params["weights"]] = side[params["weights"]] / side[params["weights"]].sum()
        sides.append(side)
    expression = params["rate"]
    function = None if "share" in expression else _rate_function(expression)
    if "vars" in params:
        names = {name: f"{name}_struct" for name in params["vars"]}
        ours = decomposition.cross_classified(*sides, variables=params["vars"], size=params["crossclassified"])
        ours = ours.rename(index=names)
    else:
        ours = decomposition.das_gupta(*sides, **({} if function is None else {"rate": function}))
    for name, row in theirs.items():
        if name != "crude":
            wanted = [row[populations[0]], row[populations[1]], row["diff"]]
            case.same(ours.loc[name], wanted, what=name)
    case.same(ours["effect"].sum(), theirs["crude"]["diff"])
    if params.get("weights") == "size":
        parts = decomposition.kitagawa(sides[0]["size"], sides[0]["rate"], sides[1]["size"], sides[1]["rate"])
        case.same(parts.sum(), [theirs["size"]["diff"], theirs["rate"]["diff"], theirs["crude"]["diff"]])


@handles("shift_share")
def _shift_share(case):
    data = case.table()
    tables = [data.pivot_table(index="region", columns="industry", values=name) for name in ("e_t", "e_t1")]
    nation = data.drop_duplicates("industry").set_index("industry")
    ours = decomposition.shift_share(*tables, whole_before=nation["nation_t"], whole_after=nation["nation_t1"])
    for region, theirs in case.expected.items():
        row = ours.loc[region]
        dunn, esteban = theirs["Dunn"], theirs["Esteban"]
        common = ("Growth (t1-t)", "National share", "Industrial mix")
        case.same(row[["growth", "whole", "mix"]], [dunn[name] for name in common])
        case.same(row[["growth", "whole", "mix"]], [esteban[name] for name in common])
        case.same([row["own"], row["mix"] + row["own"]], [dunn["Regional share"], dunn["Net total shift"]])
        case.same(row[["own_at_whole_mix", "allocation"]], [esteban["Regional share"], esteban["Allocation effect"]])


# Change ---------------------------------------------------------------------------------------------


def _terms(table):
    """Ours by the names that R gives to the same terms."""
    names = {"intercept": "(Intercept)", "trend": "t", "level": "law", "slope": "since"}
    return table.rename(index=lambda name: names.get(name, name.replace("season_", "factor(month)")))


def _same_table(case, ours, theirs, statistic=None):
    rows = _terms(ours).loc[[row["term"] for row in theirs]]
    case.same(rows["estimate"], [row["est"] for row in theirs])
    case.same(rows["standard_error"], [row["se"] for row in theirs])
    if statistic:
        case.same(rows["statistic"], [row[statistic] for row in theirs])
        # far out in the tail a relative tolerance on p asks for more digits than the statistic has
        visible = np.array([row["p"] > 1e-8 for row in theirs])
        case.same(rows["p"][visible], np.array([row["p"] for row in theirs])[visible], rtol=1e-5)


@handles("its_ols_hac")
def _its_linear(case):
    data = case.table()
    start = int(data["law"].to_numpy().argmax())
    for name, theirs in case.expected.items():
        fits = {
            lags: change.interrupted_time_series(
                np.log(data["drivers"]), start, slope=name == "step_slope", season=data["month"], lags=lags
            )
            for lags in (None, 12)
        }
        _same_table(case, fits[None].coefficients, theirs["ols"], "stat")
        _same_table(case, fits[12].coefficients, theirs["newey_west_lag12"], "t")
        if "dw" in theirs:
            case.same(fits[None].durbin_watson, theirs["dw"])


@handles("its_glm")
def _its_counts(case):
    data, expected = case.table(), case.expected
    start = int(data["law"].to_numpy().argmax())
    fit = change.interrupted_time_series(
        data["VanKilled"], start, family="poisson", season=data["month"], exposure=data["kms"]
    )
    case.same(fit.dispersion, expected["dispersion"])
    _same_table(case, fit.coefficients, expected["coef"])
    case.same([fit.effect[0], *fit.effect[1]], expected["rr_law"])


@handles("did_2x2")
def _did(case):
    data = case.table()
    names = {"(Intercept)": "intercept", "y81": "after", "nearinc": "treated", "y81:nearinc": "effect"}
    for outcome in ("rprice", "lprice"):
        for theirs, covariance in (("ols", "classical"), ("hc1", "HC1")):
            ours = change.difference_in_differences(
                data[outcome], data["nearinc"], data["y81"], covariance=covariance
            ).coefficients
            for row in case.expected[outcome][theirs]:
                term = ours.loc[names[row["term"]]]
                case.same([term["estimate"], term["standard_error"]], [row["est"], row["se"]])
                if "stat" in row:
                    case.same(term["statistic"], row["stat"])
                    np.testing.assert_allclose(term["p"], row["p"], rtol=1e-5, atol=1e-12)


@handles("did_twfe")
def _did_two_way(case):
    data, expected = case.table(), case.expected
    for covariance, name in (("CR1", "se_cluster_CR1"), ("CR0", "se_cluster_CR0"), ("classical", "se_ols")):
        ours = change.two_way_effects(data["luclms"], data["city"], data["year"], data["ez"], covariance=covariance)
        case.same([ours.effect, ours.standard_error, ours.n], [expected["twfe_att"], expected[name], expected["n"]])


# Sampling, queueing, Pareto -------------------------------------------------------------------------


@handles("sample_size_prop_fpc")
def _sample_size(case):
    table = case.table("table.csv")
    ours = sampling.sample_size_proportion(table["e"], share=table["P"], population=table["N"].fillna(np.inf))
    assert ours.tolist() == table["n"].tolist()


@handles("sample_size_krejcie_morgan")
def _krejcie_morgan(case):
    table = case.table("table.csv")
    assert sampling.sample_size_krejcie_morgan(table["N"]).tolist() == table["S"].tolist()


@handles("power")
def _power(case):
    for row in case.table("prop.csv").itertuples():
        case.same(sampling.sample_size_two_proportions(row.p1, row.p2, power=row.power), row.n)
    for row in case.table("mean.csv").itertuples():
        case.same(sampling.sample_size_two_means(row.delta, row.sd, power=row.power), row.n)


@handles("erlang_b")
def _erlang_b(case):
    data = case.table()
    ours = queueing.erlang_b(data["A"], data["N"])
    case.same(ours, case.expected["B"])
    for value, published in zip(ours, case.expected.get("published", []), strict=False):
        assert published is None or round(float(value), 4) == published


@handles("erlang_c")
def _erlang_c(case):
    for row, theirs in zip(case.table().itertuples(), case.expected["cases"], strict=True):
        ours = queueing.queue(row.calls_per_half_hour, row.aht_s, row.agents, threshold_s=row.target_s)
        case.same(queueing.erlang_b(ours.load, row.agents), theirs["B"])
        case.same(
            [ours.p_wait, ours.queue_length, ours.asa_s, ours.occupancy, ours.service_level],
            [theirs[name] for name in ("C", "Lq", "Wq", "rho", "SL")],
        )
        case.same([ours.queue_length + ours.load, ours.asa_s + row.aht_s], [theirs["L"], theirs["W"]])


@handles("pareto")
def _pareto(case):
    data = case.table()
    ours = pareto.pareto(data.set_index(data.columns[0])[data.columns[1]])
    theirs = pd.DataFrame(case.expected["table"])
    assert ours.index.tolist() == theirs["category"].tolist()
    case.same(ours[["count", "cumulative"]], theirs[["Frequency", "Cum.Freq."]])
    case.same(ours[["share", "cumulative_share"]] * 100, theirs[["Percentage", "Cum.Percent."]])
