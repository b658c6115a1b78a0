"""Train a segmentation.

The steps are: prepare the features, choose an algorithm, fit it to all users, refine the segments, match them with
those of the previous run, and describe them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ml.arrays import F64, I64
from ml.segmentation.clustering_engine import ClusteringEngine, LocalClustering
from ml.segmentation.clusters.algorithms import NOISE, KMeansSegments, SegmentModel
from ml.segmentation.clusters.choice import ClusteringChoice, choose_clustering
from ml.segmentation.clusters.discriminants import refine_segments
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.identity import match_segments
from ml.segmentation.clusters.surrogate import fit_surrogate
from ml.segmentation.features.feature_selection import FeatureSelector
from ml.segmentation.features.features import (
    FeatureEncoder,
    check_users,
    group_levels,
    is_numeric,
    matches_any,
    to_floats,
)
from ml.segmentation.features.preparation import Components, Imputer, Scaler, SkewReducer, Winsorizer
from ml.segmentation.history import learn_discount
from ml.segmentation.known_users import describe_by_totals, select_shaping_users
from ml.segmentation.profiles.descriptions import ShapingUsers, describe_segments
from ml.segmentation.profiles.labels import join_words
from ml.segmentation.segmentation import Segmentation
from ml.settings.segmentation import SegmentationSettings

NAMED_COLUMNS = 4  # most columns that a reason lists
MINIMUM_VARYING_FEATURES = 3  # with fewer, the events do not show how people use the site


@dataclass(frozen=True)
class _Prepared:
    """Fitted preparation steps and what they make of the shaping users.

    Attributes:
        steps: fitted steps by name, in the order in which they run.
        raw: winsorized features before scaling, (n, n_features).
        features: scaled and selected features, (n, d).
        space: these features around their means, and their scores on the principal components.
        columns: what each of these features is called: its name, or the column of the category it is a level of.
    """

    steps: dict[str, Any]
    raw: F64
    features: F64
    space: FeatureSpace
    columns: list[str]


def fit_segmentation(
    table: pa.Table,
    settings: SegmentationSettings,
    previous: Segmentation | None = None,
    seed: int = 0,
    earlier: Sequence[pa.Table] = (),
    engine: ClusteringEngine | None = None,
) -> Segmentation:
    """Learn segments from a table of users with one row per user.

    `settings.roles` selects the feature columns (by default every numeric, map and struct column) and the outcomes
    that show which features are relevant. Users with less evidence than `settings.evidence` requires do not shape
    the segments, but are assigned to one. Where many customers are known by their orders alone, everybody is
    described by `settings.roles.otherwise`. If the rule in `ml.segmentation.clusters.choice` finds no structure,
    all users form one segment.

    Args:
        table: `user_id` and feature columns.
        settings: the section `segmentation` of the settings.
        previous: the segmentation of the previous run. Segments that share enough users with one of its segments
            keep that segment's number and name.
        seed: seed of the samples and random starts.
        earlier: the same table as of earlier times, from which the trust in little evidence is learned.
        engine: what fits the chosen model to everybody; None: this process.

    Raises:
        InvalidInputError: `user_id` is missing or repeated, or no column is numeric.
    """
    check_users(table)
    settings = describe_by_totals(table, settings)
    shaping = table.filter(pa.array(select_shaping_users(table, settings)))
    encoder, outcomes = _fit_roles(shaping, settings)
    imputer = Imputer(encoder.names, settings.preparation.missing).fit(encoder.transform(shaping))
    if not imputer.kept_names:
        return _fit_single_segment(table, encoder, imputer, settings, previous)
    prepared = _prepare(shaping, encoder, imputer, outcomes, settings, seed)
    incumbent = (previous.model.algorithm, len(previous.ids)) if previous and previous.has_structure else None
    choice = choose_clustering(
        prepared.space,
        settings.choice,
        settings.minimum_segment_size,
        seed,
        incumbent,
        is_one_column_enough=len(imputer.kept_names) == 1,
    )
    steps, model, labels = _fit_final(choice, prepared, settings, seed, engine or LocalClustering())
    ids, next_id, overlaps = _identify_segments(shaping, model, labels, previous)
    if previous is None:
        # Number the segments by size, so that the numbers do not depend on the random start.
        order = np.argsort(-np.bincount(labels[labels != NOISE], minlength=model.n_segments_), kind="stable")
    else:
        order = np.argsort(ids)
        ids, overlaps = [ids[i] for i in order], [overlaps[i] for i in order]
    model.reorder(order)
    labels = np.where(labels == NOISE, NOISE, np.argsort(order)[labels]).astype(np.int64)
    segmentation = Segmentation(
        pipeline=Pipeline(list(steps.items())),
        model=model,
        ids=ids,
        names=[""] * len(ids),
        next_id=next_id,
        candidates=list(choice.candidates),
        reason=_explain_choice(choice, prepared.columns),
        profiles=[],
        preparation=_report_preparation(prepared.steps, table.num_rows, shaping.num_rows),
        has_structure=choice.make_model is not None,
        overlaps=overlaps,
    )
    segmentation.discount = learn_discount(segmentation, table, shaping, earlier, settings.evidence)
    names = prepared.steps["impute"].kept_names
    describe_segments(segmentation, table, ShapingUsers(prepared.raw, names, labels), settings, previous)
    described = [profile.segment for profile in segmentation.profiles]
    segmentation.surrogate = fit_surrogate(
        prepared.raw,
        names,
        np.array([id_ if id_ in described else NOISE for id_ in [*ids, NOISE]])[labels],
        settings.surrogate_leaves,
        settings.minimum_segment_size,
    )
    return segmentation


def _explain_choice(choice: ClusteringChoice, columns: list[str]) -> str:
    """Return the reason for the choice, with the names of the columns that alone divide the users."""
    names = [columns[position] for position in choice.single_columns]
    if not names:
        return choice.reason
    shown = names if len(names) <= NAMED_COLUMNS else [*names[: NAMED_COLUMNS - 1], "others"]
    subject = f"{shown[0]} alone divides" if len(names) == 1 else f"{join_words(shown)} each alone divide"
    return f"there is no structure: {subject} the users, and nothing else differs between such groups"


def _fit_single_segment(
    table: pa.Table,
    encoder: FeatureEncoder,
    imputer: Imputer,
    settings: SegmentationSettings,
    previous: Segmentation | None,
) -> Segmentation:
    """Put all users into one segment because no feature varies, as with a single user or an empty table."""
    first = previous.next_id if previous else 1
    ids = previous.ids if previous and not previous.has_structure else [first]
    segmentation = Segmentation(
        pipeline=Pipeline([("encode", encoder), ("impute", imputer)]),
        model=KMeansSegments.from_centres(np.zeros((1, 0))),
        ids=ids,
        names=[""],
        next_id=max(first, ids[0] + 1),
        candidates=[],
        reason=f"none of the {len(imputer.names)} features varies between the {table.num_rows} users",
        profiles=[],
        preparation={
            **_count_input(table.num_rows, table.num_rows, [], [*encoder.dropped_, *imputer.dropped_]),
            "components": 0,
            "kept_variance": 0.0,
        },
        has_structure=False,
        overlaps=[0.0],
    )
    shaping = ShapingUsers(np.zeros((table.num_rows, 0)), [], np.zeros(table.num_rows, dtype=np.int64))
    describe_segments(segmentation, table, shaping, settings, previous)
    return segmentation


def _prepare(
    table: pa.Table,
    encoder: FeatureEncoder,
    imputer: Imputer,
    outcomes: list[str],
    settings: SegmentationSettings,
    seed: int,
) -> _Prepared:
    """Fit the preparation step by step, because each step passes its column names to the next."""
    prep = settings.preparation
    winsorizer, skew = Winsorizer(prep.winsor_limit), SkewReducer(prep.skew_threshold)
    scaler = Scaler([encoder.levels[j] for j in imputer.kept_])
    raw = X = winsorizer.fit_transform(imputer.transform(encoder.transform(table)))
    selector = FeatureSelector(
        imputer.kept_names,
        outcomes,
        false_discovery_rate=prep.false_discovery_rate,
        minimum_information=prep.minimum_information,
        redundant_correlation=prep.redundant_correlation,
        categories=group_levels([encoder.features_[j] for j in imputer.kept_]),
    )
    targets = np.column_stack([to_floats(table.column(name)) for name in outcomes]) if outcomes else None
    with threadpool_limits(1):  # fits of single columns do not gain from threads
        X = scaler.fit_transform(skew.fit_transform(X))
        X = selector.fit(X, None if targets is None else np.nan_to_num(targets)).transform(X)
    components = Components(prep.component_quantile, seed=seed)
    components.fit(X)
    kept = [encoder.features_[j] for j in imputer.kept_[selector.kept_]]
    space = FeatureSpace(X - components.mean_, components.components_, group_levels(kept))
    steps = {
        "encode": encoder,
        "impute": imputer,
        "winsorize": winsorizer,
        "unskew": skew,
        "scale": scaler,
        "select": selector,
        "components": components,
    }
    columns = [feature.name if feature.level is None else feature.column for feature in kept]
    return _Prepared(steps, raw, X, space, columns)


def _fit_roles(table: pa.Table, settings: SegmentationSettings) -> tuple[FeatureEncoder, list[str]]:
    """Return the fitted encoder and the outcome columns; use `roles.otherwise` if too few features vary."""
    roles = settings.roles
    outcomes = [f.name for f in table.schema if is_numeric(f.type) and matches_any(f.name, roles.outcomes)]
    rare = settings.preparation.rare_key_share
    encoder = FeatureEncoder(roles.features, roles.outcomes, rare, roles.categorical).fit(table)
    if not roles.otherwise:
        return encoder, outcomes
    X = encoder.transform(table)
    low = np.where(np.isfinite(X), X, np.inf).min(axis=0, initial=np.inf)
    high = np.where(np.isfinite(X), X, -np.inf).max(axis=0, initial=-np.inf)
    if np.count_nonzero(low < high) >= MINIMUM_VARYING_FEATURES:
        return encoder, outcomes
    return FeatureEncoder(include=roles.otherwise).fit(table), []


def _fit_final(
    choice: ClusteringChoice,
    prepared: _Prepared,
    settings: SegmentationSettings,
    seed: int,
    engine: ClusteringEngine,
) -> tuple[dict[str, Any], SegmentModel, I64]:
    """Fit the chosen model to all shaping users.

    Density methods learn from the sample on which they were compared, and so do mixtures unless the engine refits
    them. k-means continues on all users and is then refined along the discriminants of its segments, which replace
    the principal components. Its memberships are calibrated in the space in which it ends.

    Returns:
        The preparation steps that lead to the model, the model, and the segment index of each user (n,).
    """
    Z, X = prepared.space.scores, prepared.features
    if choice.make_model is None:
        single = KMeansSegments(1, starts=1, seed=seed).fit(Z)
        return prepared.steps, single, single.predict(Z)
    rows = np.random.default_rng(seed).permutation(len(Z))[: settings.choice.sample_rows]
    model = choice.make_model(seed).fit(Z[rows])
    if len(rows) < len(Z):
        model = engine.refit(model, Z)
    if not isinstance(model, KMeansSegments):
        return prepared.steps, model, model.predict(Z)
    sharpened = refine_segments(X, model, model.predict(Z), seed)
    if sharpened is None:
        return prepared.steps, model, model.calibrate(Z).predict(Z)
    discriminants, sharper = sharpened
    steps = {name: step for name, step in prepared.steps.items() if name != "components"}
    Z = discriminants.transform(X)
    return {**steps, "discriminants": discriminants}, sharper, sharper.calibrate(Z).predict(Z)


def _identify_segments(
    table: pa.Table, model: SegmentModel, labels: I64, previous: Segmentation | None
) -> tuple[list[int], int, list[float]]:
    """Number the segments, matching them with those of the previous run.

    Returns:
        The number of each segment, the next unused number, and each segment's overlap with the previous segment of
        the same number.
    """
    count = model.n_segments_
    if previous is None:
        return list(range(1, count + 1)), count + 1, [0.0] * count
    if not previous.can_assign(table) or previous.has_structure != (count > 1):  # there is nothing to match
        first = previous.next_id
        return list(range(first, first + count)), first + count, [0.0] * count
    before = previous.assign(table).column("segment").to_numpy()
    ids, overlaps = match_segments(before, labels, previous.ids, previous.next_id)
    return ids, max([previous.next_id, *[id_ + 1 for id_ in ids]]), overlaps


def _count_input(users: int, shaping: int, features: list[str], dropped: list[list[str]]) -> dict[str, Any]:
    """Summarize what went into a segmentation and which columns were dropped, with the reason."""
    return {
        "users": users,
        "shaping_users": shaping,
        "features": features,
        "dropped": dropped,
        "missing_values": {},
        "winsorized_values": {},
    }


def _report_preparation(steps: dict[str, Any], users: int, shaping: int) -> dict[str, Any]:
    """Summarize what each preparation step did, as JSON values."""
    imputer, winsorizer, skew = steps["impute"], steps["winsorize"], steps["unskew"]
    selector, components = steps["select"], steps["components"]
    names = imputer.kept_names
    dropped = [*steps["encode"].dropped_, *imputer.dropped_, *selector.dropped_]
    return {
        **_count_input(users, shaping, selector.kept_names, dropped),
        "missing_values": {n: int(c) for n, c in zip(names, imputer.missing_, strict=True) if c},
        "winsorized_values": {n: int(c) for n, c in zip(names, winsorizer.changed_, strict=True) if c},
        "yeo_johnson_exponents": {n: float(e) for n, e in zip(names, skew.exponent_, strict=True) if e != 1.0},
        "relevance": [
            {"feature": n, "information": float(i), "p_value": float(p), "with": w}
            for n, i, p, w in zip(names, selector.information_, selector.p_value_, selector.partner_, strict=True)
        ],
        "components": len(components.variance_),
        "kept_variance": components.kept_variance_,
        "eigenvalues": [float(value) for value in components.eigenvalues_],
        "eigenvalues_by_chance": [float(value) for value in components.chance_],
    }
