"""Tables of users without groups, and with planted ones, of every kind of column.

The groups of a planted table are drawn closer and closer together as long as k-means, which is told their number,
still finds them with an adjusted Rand index of at least `FINDABLE`. Any of these tables may be taken, or the last,
which is as hard as a table may be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.special import expit
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from ml.arrays import F64, I64

KINDS = ("continuous", "flags", "codes", "mixed", "correlated", "skewed")
FINDABLE = 0.9
DISTANCES = np.geomspace(1.5, 8.0, 18)  # of the groups' centres in deviations within them
LEAST_SHARE = 0.1  # of the users in the smallest group
LEVELS = 5  # of a code
Columns = Callable[[F64, np.random.Generator], F64]


@dataclass(frozen=True)
class UserTable:
    """A table of users.

    Attributes:
        users: `user_id` and the columns.
        groups: planted group of each user (n,); None where there are none.
    """

    users: pa.Table
    groups: I64 | None


def structureless(kind: str, rows: int, seed: int) -> UserTable:
    """Columns of a kind that have nothing to do with each other, but for the correlated ones."""
    random = np.random.default_rng([seed, rows, KINDS.index(kind), 0])
    columns = int(random.integers(4, 11))
    latent = random.normal(random.normal(0, 0.7, columns), 1.0, (rows, columns))
    if kind == "correlated":
        latent = latent @ random.normal(size=(columns, columns))
    return UserTable(_table(_of_kind(kind, latent, random)), None)


def planted(kind: str, rows: int, groups: int, seed: int) -> tuple[UserTable, UserTable] | None:
    """Tables whose groups k-means finds when it is told their number: of any such distance, and of the smallest.

    Returns:
        The two tables, which may be one, or None if k-means finds the groups at no distance.
    """
    tables = []
    for distance in DISTANCES[::-1]:
        random = np.random.default_rng([seed, rows, KINDS.index(kind), groups])
        values, truth, shown = _grouped(kind, rows, groups, float(distance), random)
        labels = KMeans(groups, n_init=20, random_state=0).fit_predict(StandardScaler().fit_transform(shown))
        if adjusted_rand_score(truth, labels) < FINDABLE:
            break
        tables.append(UserTable(_table(values), truth))
    if not tables:
        return None
    random = np.random.default_rng([seed, groups, KINDS.index(kind), 99])
    return tables[::-1][int(random.integers(len(tables)))], tables[-1]


def _grouped(
    kind: str, rows: int, groups: int, distance: float, random: np.random.Generator
) -> tuple[F64, I64, F64]:
    """Columns, the group of each user, and the scale on which k-means is to find the groups."""
    columns = int(random.integers(6, 11)) * (2 if kind == "flags" else 1)
    shares = LEAST_SHARE + (1 - groups * LEAST_SHARE) * random.dirichlet(np.full(groups, 5.0))
    truth = np.searchsorted(np.cumsum(shares / shares.sum()), (np.arange(rows) + 0.5) / rows)
    centres = random.choice([-0.5, 0.5], (groups, columns)) + random.normal(0, 0.15, (groups, columns))
    noise = random.normal(size=(rows, columns))
    if kind == "correlated":
        noise = noise @ np.linalg.cholesky(0.6 * np.eye(columns) + 0.4)
    latent = distance * centres[truth] + noise
    values = _of_kind(kind, latent, random)
    return values, truth, latent if kind == "skewed" else values


def _of_kind(kind: str, latent: F64, random: np.random.Generator) -> F64:
    """Columns of a kind whose sizes follow the latent ones (n, d)."""
    makers: dict[str, Columns] = {
        "continuous": lambda values, _: values,
        "correlated": lambda values, _: values,
        "skewed": lambda values, _: np.exp(values),
        "flags": _flags,
        "codes": _codes,
        "mixed": _mixed,
    }
    return makers[kind](latent, random)


def _flags(latent: F64, random: np.random.Generator) -> F64:
    return (random.random(latent.shape) < expit(latent)).astype(np.float64)


def _codes(latent: F64, random: np.random.Generator) -> F64:
    spread = np.quantile(latent, np.linspace(0, 1, LEVELS + 1)[1:-1], axis=0)
    return (latent[:, None, :] > spread[None]).sum(axis=1).astype(np.float64)


def _mixed(latent: F64, random: np.random.Generator) -> F64:
    third = latent.shape[1] // 3
    return np.hstack(
        [_flags(latent[:, :third], random), _codes(latent[:, third : 2 * third], random), latent[:, 2 * third :]]
    )


def _table(values: F64) -> pa.Table:
    columns = {f"column_{place}": column for place, column in enumerate(values.T)}
    return pa.table({"user_id": [str(row) for row in range(len(values))], **columns})
