"""Write gbstats_oracle.json: results of GrowthBook's engine for a few experiments, with the inputs.

gbstats needs pandas 1.x, so it has a separate environment:

    python -m venv /tmp/gbstats && /tmp/gbstats/bin/pip install gbstats==0.8.0
    /tmp/gbstats/bin/python tests/ml/experiments/gbstats_oracle.py [hillstrom.csv.gz]
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig, GaussianPrior
from gbstats.frequentist.tests import (
    FrequentistConfig,
    SequentialConfig,
    SequentialTwoSidedTTest,
    TwoSidedTTest,
)
from gbstats.models.statistics import RatioStatistic, RegressionAdjustedStatistic, SampleMeanStatistic

PLANNED_UNITS = 12_000
PRIOR_SD = 0.1


def columns_of(kind, n, effect, rng):
    """Simulate the per-unit columns of an arm: numerator, and a denominator or covariate."""
    if kind == "ratio":
        denominator = rng.poisson(3.0, n) + 1.0
        return {
            "numerator": rng.poisson(denominator * 0.4 * (1 + effect)).astype(float),
            "denominator": denominator,
        }
    level = rng.gamma(2.0, 1.0, n)
    columns = {"numerator": rng.poisson(level * (1 + effect)).astype(float)}
    if kind == "cuped":
        columns["covariate"] = rng.poisson(level).astype(float)
    return columns


def statistic(sums):
    n = sums["n"]

    def mean(name):
        return SampleMeanStatistic(n=n, sum=sums["sum"][name], sum_squares=sums["products"][f"{name}*{name}"])

    if "denominator" in sums["sum"]:
        return RatioStatistic(
            n=n,
            m_statistic=mean("numerator"),
            d_statistic=mean("denominator"),
            m_d_sum_of_products=sums["products"]["numerator*denominator"],
        )
    if "covariate" in sums["sum"]:
        return RegressionAdjustedStatistic(
            n=n,
            post_statistic=mean("numerator"),
            pre_statistic=mean("covariate"),
            post_pre_sum_of_products=sums["products"]["numerator*covariate"],
            theta=0,
        )
    return mean("numerator")


def sums_of(columns):
    names = list(columns)
    return {
        "n": len(columns[names[0]]),
        "sum": {name: float(columns[name].sum()) for name in names},
        "products": {f"{a}*{b}": float((columns[a] * columns[b]).sum()) for a in names for b in names},
    }


def verdicts(control, treatment):
    results = {}
    for scale in ("absolute", "relative"):
        welch = TwoSidedTTest(statistic(control), statistic(treatment), FrequentistConfig(difference_type=scale))
        sequential = SequentialTwoSidedTTest(
            statistic(control),
            statistic(treatment),
            SequentialConfig(difference_type=scale, sequential_tuning_parameter=PLANNED_UNITS),
        )
        for name, test in (("welch", welch), ("sequential", sequential)):
            result = test.compute_result()
            results[f"{name}_{scale}"] = {
                "value": result.expected,
                "interval": list(result.ci),
                "p": result.p_value,
            }
    bayes = EffectBayesianABTest(
        statistic(control),
        statistic(treatment),
        EffectBayesianConfig(prior_effect=GaussianPrior(0, PRIOR_SD**2, True)),
    ).compute_result()
    results["bayesian_relative"] = {
        "value": bayes.expected,
        "interval": list(bayes.ci),
        "probability_better": bayes.chance_to_win,
        "loss": bayes.risk[1],
    }
    return results


def main(hillstrom):
    rng = np.random.default_rng(20)
    cases = []
    for kind, n, effect in (
        ("mean", 3000, 0.05),
        ("cuped", 2500, -0.04),
        ("ratio", 4000, 0.08),
        ("mean", 600, 0.0),
    ):
        control, treatment = (sums_of(columns_of(kind, n, lift, rng)) for lift in (0.0, effect))
        name = f"{kind}, {n} units an arm, planted lift {effect:+.0%}"
        cases.append(
            {"name": name, "control": control, "treatment": treatment, "gbstats": verdicts(control, treatment)}
        )
    if hillstrom:
        table = pd.read_csv(hillstrom)
        for metric in ("visit", "conversion", "spend"):
            arms = {
                arm: sums_of({"numerator": rows[metric].to_numpy(float)}) for arm, rows in table.groupby("segment")
            }
            for arm in ("Mens E-Mail", "Womens E-Mail"):
                control, treatment = arms["No E-Mail"], arms[arm]
                cases.append(
                    {
                        "name": f"hillstrom {metric}, {arm}",
                        "control": control,
                        "treatment": treatment,
                        "gbstats": verdicts(control, treatment),
                    }
                )
    document = {"gbstats": "0.8.0", "planned_units": PLANNED_UNITS, "prior_sd": PRIOR_SD, "cases": cases}
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
