"""The effect of a treatment on conversion, adjusted for what is known of visits and for what shows beside it.

What is known is taken out of treatment and outcome by regressions on other people's visits, and the effect is that
of the rest of the one on the rest of the other: the orthogonal, doubly robust score of the partially linear model
(Robinson 1988; Chernozhukov et al. 2018). A hidden intent would remain. It shows in other actions that go with the
treatment, its proxies: some stand for the intent, and the others are instruments (proximal two-stage least
squares: Miao, Geng, Tchetgen Tchetgen 2018; Tchetgen Tchetgen et al. 2020). This assumes that the proxies reach
the conversion only through that intent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ml.arrays import F64, I64
from ml.sequences.sums import sum_by_group

FOLDS = 5
RIDGE = 1.0
PROXY_Z = 4.0
"""Standard errors by which an action must go with the treatment to be its proxy."""
OUTCOME_Z = 3.0
"""The same of the outcome: what does not go with conversion does not show what drives it."""
TWIN_CORRELATION = 0.3
"""Above, an action is part of the treatment, as a form's submission is of its start, and no proxy."""
PROXIES_MOST = 6
LEVEL = 0.95


@dataclass(frozen=True)
class Effect:
    """A relative effect on conversion.

    Attributes:
        lift: How much more often visits convert with the treatment, as a share.
        low: Lower bound of the 95% interval over people.
        high: Upper bound.
        base: Conversion of the same visits without it.
        p_value: Of no effect.
        proxies: Places of the actions that stood for a hidden intent; empty where none goes with the treatment.
    """

    lift: float
    low: float
    high: float
    base: float
    p_value: float
    proxies: tuple[int, ...]

    @property
    def e_value(self) -> float:
        """How strongly, as a risk ratio, a further hidden cause would have to go with both to explain the lift."""
        return e_value(1 + self.lift)

    @property
    def e_value_of_bound(self) -> float:
        """The same for the bound next to no effect; 1 where the interval holds it."""
        if self.low <= 0 <= self.high:
            return 1.0
        return e_value(1 + (self.low if self.low > 0 else self.high))


def e_value(ratio: float) -> float:
    """Return the E-value of a risk ratio (VanderWeele and Ding 2017)."""
    ratio = max(ratio, 1e-9)
    ratio = max(ratio, 1 / ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))


def take_out(values: F64, covariates: F64, people: I64, seed: int) -> F64:
    """Take what covariates (n, c) tell out of values (n, k), by regressions on the visits of other people."""
    generator = np.random.default_rng(seed)
    folds = generator.integers(0, FOLDS, int(people.max(initial=-1)) + 1)[people]
    rows = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
    design = np.column_stack([np.ones(len(covariates)), covariates])
    parts = [design[inside] for inside in rows]
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    left = np.empty_like(values)
    grams = [part.T @ part for part in parts]  # of one array with itself, which takes half the time
    products = [part.T @ values[inside] for part, inside in zip(parts, rows, strict=True)]
    gram, product = sum(grams), sum(products)
    for fold, inside in enumerate(rows):
        coefficients = np.linalg.lstsq(gram - grams[fold] + penalty, product - products[fold], rcond=None)[0]
        left[inside] = values[inside] - parts[fold] @ coefficients
    return left


def find_proxies(treatment: F64, others: F64, outcome: F64) -> tuple[int, ...]:
    """Return the columns of `others` (n, k) that go with a treatment and with the outcome, (n,), strongest first.

    Of all three, only what covariates leave.
    """
    with_treatment, with_outcome = _correlate(treatment, others), _correlate(outcome, others)
    n = len(treatment)
    goes_with = (with_treatment * math.sqrt(n) > PROXY_Z) & (with_treatment < TWIN_CORRELATION)
    goes_with &= with_outcome * math.sqrt(n) > OUTCOME_Z
    order = np.argsort(-with_treatment, kind="stable")
    return tuple(int(place) for place in order if goes_with[place])[:PROXIES_MOST]


def _correlate(values: F64, columns: F64) -> F64:
    scale = np.sqrt((values**2).sum() * (columns**2).sum(axis=0))
    return np.asarray(np.divide(values @ columns, scale, out=np.zeros(columns.shape[1]), where=scale > 0))


def estimate_effect(
    treatment: F64, outcome: F64, left: F64, outcome_left: F64, proxies: F64, people: I64
) -> Effect | None:
    """Estimate the effect of a treatment; None where nobody, or everybody, has it or converts.

    Args:
        treatment: (n,), 0 or 1, or a dose.
        outcome: Whether visits converted, (n,).
        left: What covariates leave of the treatment, (n,).
        outcome_left: What they leave of the outcome, (n,).
        proxies: What they leave of the actions that go with the treatment, (n, k).
        people: Number of the person, (n,).
    """
    moment = float((left**2).mean())
    if moment <= 1e-9 or outcome.std() == 0:
        return None
    first, second = proxies[:, 0::2].sum(axis=1), proxies[:, 1::2].sum(axis=1)
    if proxies.shape[1] >= 2 and _share_a_cause(first, second, left):
        solved = [_solve(left, outcome_left, pair) for pair in ((first, second), (second, first))]
    else:
        solved = [_solve(left, outcome_left, None)]
    theta = float(np.mean([effect for effect, _ in solved]))
    influence = np.mean([of for _, of in solved], axis=0)
    weights = left**2 / moment
    share, treated = float((weights * outcome).mean()), float((weights * treatment).mean())
    base = share - theta * treated
    if base <= 0 or share <= 0 or theta + base <= 0:
        return None
    lift = theta / base
    of_base = weights * (outcome - share) - theta * weights * (treatment - treated) - treated * influence
    of_lift = influence / base - theta / base**2 * of_base
    error = _error(of_lift, people) / (1 + lift)
    reach = norm.ppf((1 + LEVEL) / 2) * error
    p_value = float(2 * norm.sf(abs(math.log1p(lift)) / error)) if error > 0 else 1.0
    return Effect(lift, (1 + lift) * math.exp(-reach) - 1, (1 + lift) * math.exp(reach) - 1, base, p_value, ())


def _share_a_cause(first: F64, second: F64, treatment: F64) -> bool:
    """Return whether two proxies go together beyond what both share with the treatment."""
    scale = treatment @ treatment
    first = first - treatment * float(treatment @ first / scale)
    return bool(_correlate(first, second[:, None])[0] * math.sqrt(len(first)) > PROXY_Z)


def _solve(left: F64, outcome: F64, pair: tuple[F64, F64] | None) -> tuple[float, F64]:
    """Return the effect and the influence of each visit on it, (n,)."""
    if pair is None:
        theta = float(left @ outcome / (left @ left))
        return theta, left * (outcome - theta * left) / float((left**2).mean())
    stands_for, instrument = pair
    regressors, instruments = np.column_stack([left, stands_for]), np.column_stack([left, instrument])
    inverse = np.linalg.pinv(instruments.T @ regressors / len(left))
    coefficients = inverse @ (instruments.T @ outcome) / len(left)
    errors = outcome - regressors @ coefficients
    return float(coefficients[0]), (instruments * errors[:, None]) @ inverse[0]


def _error(influence: F64, people: I64) -> float:
    """Return the standard error of the mean of influences (n,), over people."""
    sums = sum_by_group(people, influence, int(people.max(initial=-1)) + 1)
    return float(np.sqrt((sums**2).sum()) / len(influence))
