"""Correct tests for their number, the p-value and the interval together.

The corrected interval at level 1 - alpha excludes zero exactly if the corrected p-value is below alpha. For the
primary metric, treatments share the level (Bonferroni). Others have p-values of Benjamini and Hochberg (1995)
and the intervals of Benjamini and Yekutieli (2005): with R of m tests significant at alpha, each interval has the
level 1 - max(R, 1) alpha / m. A test without a p-value is left out of its family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan

import numpy as np
from scipy.stats import false_discovery_control

from ml.experiments.analysis.inference import EffectTest, InferenceResult


@dataclass(frozen=True)
class CorrectedTest:
    """A test within its family.

    Attributes:
        test: the test by itself.
        inference: the corrected interval and p-value.
    """

    test: EffectTest
    inference: InferenceResult


def share_level(tests: Sequence[EffectTest], alpha: float) -> list[CorrectedTest]:
    """Correct by Bonferroni: every test has an equal part of the level."""
    count = max(sum(not isnan(test.p_value) for test in tests), 1)
    return [_correct(test, alpha / count, min(1.0, count * test.p_value)) for test in tests]


def control_false_discoveries(tests: Sequence[EffectTest], alpha: float) -> list[CorrectedTest]:
    """Correct by Benjamini and Hochberg, with intervals of the false coverage rate."""
    p_values = np.array([test.p_value for test in tests], dtype=np.float64)
    valid = ~np.isnan(p_values)
    adjusted = np.full(len(tests), np.nan)
    if valid.any():
        adjusted[valid] = false_discovery_control(p_values[valid], method="bh")
    rejected = int(np.count_nonzero(adjusted < alpha))
    level = alpha * max(rejected, 1) / max(int(valid.sum()), 1)
    return [_correct(test, level, float(p_value)) for test, p_value in zip(tests, adjusted, strict=True)]


def _correct(test: EffectTest, level: float, p_value: float) -> CorrectedTest:
    """Return the test's intervals at a level of its own with the corrected p-value, NaN if the test has none."""
    p_value = p_value if not isnan(test.p_value) else test.p_value
    return CorrectedTest(test, replace(test.infer(level), p_value=p_value))
