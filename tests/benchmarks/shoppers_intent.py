"""The estimator of intent on a public table of shop visits, beside LightGBM, in ten folds of the same run.

`online_shoppers_intention.csv` (Sakar and Kastro, UCI, 2018) holds 12,330 visits, of which 15.5% bought. Nothing
is oversampled before the split, which would put copies of test rows into training. The second table leaves
`PageValues` out, which is made of transactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from figure import Figure
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from ml.sequences.intent.boosting import BoostingShape, fit_trees

TABLE = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "online_shoppers" / "online_shoppers_intention.csv"
)
FOLDS = 10
SHAPE = BoostingShape(
    ensembles=3, trees=250, learning_rate=0.03, leaves=8, rows_of_leaf=25, columns=0.25, rows=0.8, penalty=5.0
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "June", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def measure(size: float) -> Iterator[Figure]:
    """Yield area under the ROC curve and average precision with and without `PageValues`; `size` takes visits."""
    table = pd.read_csv(TABLE)
    table = table.sample(round(len(table) * min(size, 1.0)), random_state=0)
    bought = table.pop("Revenue").to_numpy(dtype=bool)
    visits = describe(table)
    for name, columns in (("", visits), (" without PageValues", visits.drop(columns="PageValues"))):
        ours, theirs = _score(columns.to_numpy(dtype=np.float64), bought)
        for place, measured in enumerate(("AUC", "average precision")):
            difference = ours[:, place] - theirs[:, place]
            error = difference.std(ddof=1) / np.sqrt(FOLDS)
            yield Figure(
                f"shoppers: {measured}{name}",
                float(ours[:, place].mean()),
                measured,
                f"LightGBM; difference {difference.mean():+.4f} ± {1.96 * error:.4f}",
                float(theirs[:, place].mean()),
                float(ours[:, place].mean() / theirs[:, place].mean()),
                rows=len(visits),
            )


def describe(table: pd.DataFrame) -> pd.DataFrame:
    """Return the visits as numbers, with the seconds a page beside counts and durations."""
    visits = table.assign(
        Month=table["Month"].map({month: place for place, month in enumerate(MONTHS)}),
        VisitorType=table["VisitorType"].astype("category").cat.codes,
        Weekend=table["Weekend"].astype(int),
    )
    for kind in ("Administrative", "Informational", "ProductRelated"):
        visits[f"{kind}_Seconds"] = visits[f"{kind}_Duration"] / visits[kind].clip(lower=1)
    kinds = ("Administrative", "Informational", "ProductRelated")
    visits["Pages"] = table[list(kinds)].sum(axis=1)
    visits["Seconds"] = table[[f"{kind}_Duration" for kind in kinds]].sum(axis=1)
    visits["ExitLessBounce"] = table["ExitRates"] - table["BounceRates"]
    return visits


def _score(visits: np.ndarray, bought: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return AUC and average precision of each fold, (FOLDS, 2), of the estimator of intent and of LightGBM."""
    ours, theirs = [], []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(visits, bought):
        scores_of_ours = fit_trees(visits[train], bought[train], SHAPE, 1).log_odds(visits[test])
        rival = lightgbm.LGBMClassifier(verbose=-1, n_jobs=1, random_state=1).fit(visits[train], bought[train])
        guessed = rival.predict_proba(visits[test])[:, 1]
        for scores, of in ((scores_of_ours, ours), (guessed, theirs)):
            of.append([roc_auc_score(bought[test], scores), average_precision_score(bought[test], scores)])
    return np.array(ours), np.array(theirs)
