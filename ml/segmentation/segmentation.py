"""The fitted segmentation: from a row of features to a named segment, for everybody and for one user."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.pipeline import Pipeline

from ml.segmentation.algorithms import NOISE, KMeansSegments, Labels, SegmentModel, labels_of
from ml.segmentation.choice import Candidate, Choice, choose
from ml.segmentation.feature_selection import FeatureSelector
from ml.segmentation.features import KEY, FeatureEncoder, FloatMatrix, check_users, is_number, matches, numbers
from ml.segmentation.identity import match_segments
from ml.segmentation.naming import name_segment
from ml.segmentation.persistence import load_estimators, save_estimators
from ml.segmentation.preparation import Components, Imputer, Scaler, SkewReducer, Winsorizer
from ml.segmentation.profiles import Profile, Trait, WordShare, example_users, text_columns, traits, word_shares
from ml.settings.segmentation import SegmentationSettings

EVERYONE = "Everyone"
NOBODY = "No segment"
BLOCK_ROWS = 100_000  # users assigned at once; bounds memory at some hundred MiB


@dataclass(frozen=True)
class Assignment:
    """One user's segment; `segment` is -1 and `name` "No segment" for noise."""

    segment: int
    name: str
    membership: dict[int, float]


@dataclass
class Segmentation:
    """Pipeline, model, numbers and names of the segments, and how they came about."""

    pipeline: Pipeline
    model: SegmentModel
    ids: list[int]
    names: list[str]
    next_id: int
    candidates: list[Candidate]
    reason: str
    profiles: list[Profile]
    preparation: dict[str, Any]
    has_structure: bool
    overlaps: list[float] = field(default_factory=list)

    def scores(self, table: pa.Table) -> FloatMatrix:
        """Scores (n_users, n_components) on the principal components."""
        return np.asarray(self.pipeline.transform(table))

    def assign(self, table: pa.Table) -> pa.Table:
        """`user_id, segment, name, membership_<segment>…` for every row; raises ValueError if columns are missing."""
        check_users(table)
        blocks = [
            self.model.membership(self.scores(table.slice(start, BLOCK_ROWS)))
            for start in range(0, table.num_rows, BLOCK_ROWS)
        ]
        shares = np.concatenate(blocks) if blocks else np.empty((0, len(self.ids)))
        labels = labels_of(shares)
        ids = np.array([*self.ids, NOISE])[labels]
        names = pa.DictionaryArray.from_arrays(
            pa.array(np.where(labels == NOISE, len(self.ids), labels)), pa.array([*self.names, NOBODY])
        )
        columns = {KEY: table.column(KEY), "segment": pa.array(ids), "name": names.cast(pa.string())}
        columns |= {f"membership_{id_}": pa.array(shares[:, i]) for i, id_ in enumerate(self.ids)}
        return pa.table(columns)

    def assign_one(self, row: Mapping[str, Any]) -> Assignment:
        """Segment of one user from a mapping of columns to values; what it lacks is filled by the missing rules."""
        steps = iter(self.pipeline.steps)
        _, encoder = next(steps)
        values = encoder.transform_one(row)
        for _, step in steps:
            values = step.transform(values)
        shares = self.model.membership(values)
        index = int(labels_of(shares)[0])
        membership = dict(zip(self.ids, shares[0].tolist(), strict=True))
        if index == NOISE:
            return Assignment(NOISE, NOBODY, membership)
        return Assignment(self.ids[index], self.names[index], membership)

    def save(self, folder: Path) -> None:
        """Write `state.json`, `arrays.npz` and `segments.json`; an older segmentation there is replaced whole."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        extra = {
            "ids": self.ids,
            "names": self.names,
            "next_id": self.next_id,
            "reason": self.reason,
            "has_structure": self.has_structure,
            "overlaps": self.overlaps,
        }
        save_estimators({**dict(self.pipeline.steps), "model": self.model}, fresh, extra)
        (fresh / "segments.json").write_text(json.dumps(self.document(), indent=1, allow_nan=False))
        fresh.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)

    def document(self) -> dict[str, Any]:
        """Profiles, preparation and the choice with its table, as JSON values."""
        return {
            "segments": [asdict(profile) for profile in self.profiles],
            "choice": {
                "reason": self.reason,
                "has_structure": self.has_structure,
                "table": [
                    {key: _json_number(value) for key, value in asdict(candidate).items()}
                    for candidate in self.candidates
                ],
            },
            "preparation": self.preparation,
        }


def load_segmentation(folder: Path) -> Segmentation:
    """Inverse of `Segmentation.save`; raises ValueError on an unknown format, FileNotFoundError on a missing part."""
    estimators, extra = load_estimators(folder)
    document = json.loads((folder / "segments.json").read_text())
    model = estimators.pop("model")
    return Segmentation(
        pipeline=Pipeline(list(estimators.items())),
        model=model,
        candidates=[
            Candidate(**{key: float("nan") if value is None else value for key, value in row.items()})
            for row in document["choice"]["table"]
        ],
        profiles=[_load_profile(entry) for entry in document["segments"]],
        preparation=document["preparation"],
        **extra,
    )


def fit_segmentation(
    table: pa.Table, settings: SegmentationSettings, previous: Segmentation | None = None, seed: int = 0
) -> Segmentation:
    """Learn segments from a table with `user_id` and feature columns, one row a user.

    `settings.roles` names columns that are outcomes (used to find relevant features), volume or ignored; all other
    numeric, map and struct columns are features. With `previous`, segments keep their numbers and names where
    they share enough users. Where the rule of `ml.segmentation.choice` finds no structure, everybody is in one segment.

    Raises:
        ValueError: no user_id, repeated users, no numeric column, or (NoVariation) no column that varies.
    """
    check_users(table)
    pipeline, Z = _prepare(table, settings, seed)
    incumbent = (previous.model.algorithm, len(previous.ids)) if previous and previous.has_structure else None
    choice = choose(Z, settings.choice, settings.minimum_segment_size, seed, incumbent)
    model = _fit_final(choice, Z, settings, seed)
    labels = model.predict(Z)
    ids, next_id, overlaps = (
        list(range(1, model.n_segments_ + 1)),
        model.n_segments_ + 1,
        [0.0] * model.n_segments_,
    )
    if previous is None:
        # Largest first, so that the numbers mean something to a reader and not to the random start.
        order = np.argsort(-np.bincount(labels[labels != NOISE], minlength=model.n_segments_), kind="stable")
        model.reorder(order)
        labels = model.predict(Z)
    else:
        before = previous.assign(table).column("segment").to_numpy()
        ids, overlaps = match_segments(before, labels, previous.ids, previous.next_id)
        next_id = max([previous.next_id, *[id_ + 1 for id_ in ids]])
    old_names = dict(zip(previous.ids, previous.names, strict=True)) if previous else {}
    profiles = _describe(table, pipeline, model, Z, labels, ids, old_names, settings, choice.make is not None)
    return Segmentation(
        pipeline=pipeline,
        model=model,
        ids=ids,
        names=[profile.name for profile in profiles],
        next_id=next_id,
        candidates=list(choice.candidates),
        reason=choice.reason,
        profiles=profiles,
        preparation=_report(pipeline),
        has_structure=choice.make is not None,
        overlaps=overlaps,
    )


def _prepare(table: pa.Table, settings: SegmentationSettings, seed: int) -> tuple[Pipeline, FloatMatrix]:
    """Fit the pipeline step by step, as each step names its columns to the next; returns it with the scores."""
    roles, prep = settings.roles, settings.preparation
    outcomes = [f.name for f in table.schema if is_number(f.type) and matches(f.name, roles.outcomes)]
    encoder = FeatureEncoder(exclude=[*roles.outcomes, *roles.volume, *roles.ignored])
    X = encoder.fit_transform(table)
    imputer = Imputer(encoder.names, prep.missing)
    winsorizer, skew, scaler = Winsorizer(prep.winsor_limit), SkewReducer(prep.skew_threshold), Scaler()
    steps: list[tuple[str, Any]] = [("encode", encoder), ("impute", imputer), ("winsorize", winsorizer)]
    steps += [("unskew", skew), ("scale", scaler)]
    for _, step in steps[1:]:
        X = step.fit_transform(X)
    selector = FeatureSelector(
        imputer.kept_names,
        outcomes,
        prep.false_discovery_rate,
        prep.minimum_information,
        prep.redundant_correlation,
    )
    targets = np.column_stack([numbers(table.column(name)) for name in outcomes]) if outcomes else None
    X = selector.fit(X, None if targets is None else np.nan_to_num(targets)).transform(X)
    components = Components(prep.component_quantile, seed=seed)
    steps += [("select", selector), ("components", components)]
    return Pipeline(steps), components.fit_transform(X)


def _fit_final(choice: Choice, Z: FloatMatrix, settings: SegmentationSettings, seed: int) -> SegmentModel:
    """The chosen model on everybody; density methods and mixtures learn from the sample, as they were compared."""
    if choice.make is None:
        return KMeansSegments(1, starts=1, seed=seed).fit(Z)
    rows = np.random.default_rng(seed).permutation(len(Z))[: settings.choice.sample_rows]
    model = choice.make(seed).fit(Z[rows])
    return model.refit(Z) if isinstance(model, KMeansSegments) and len(rows) < len(Z) else model


def _describe(
    table: pa.Table,
    pipeline: Pipeline,
    model: SegmentModel,
    Z: FloatMatrix,
    labels: Labels,
    ids: list[int],
    old_names: dict[int, str],
    settings: SegmentationSettings,
    has_structure: bool,
) -> list[Profile]:
    """A profile of each segment, in the order of `ids`; names of segments that kept their number stay."""
    steps = pipeline.named_steps
    X = steps["winsorize"].transform(steps["impute"].transform(steps["encode"].transform(table)))
    shares = model.membership(Z)
    texts = text_columns(table)
    names = [old_names.get(id_, "") for id_ in ids]
    found: list[Profile] = []
    for index, id_ in enumerate(ids):
        inside = labels == index
        segment_traits = traits(X, steps["impute"].kept_names, inside)
        if not has_structure:
            names[index] = EVERYONE
        elif not names[index]:
            names[index] = name_segment(segment_traits, settings.words, [*names, EVERYONE, NOBODY])
        found.append(
            Profile(
                segment=id_,
                name=names[index],
                size=int(inside.sum()),
                share=float(inside.mean()),
                traits=segment_traits,
                words=word_shares(table, inside, texts),
                examples=example_users(table, inside, shares[:, index]),
            )
        )
    return found


def _report(pipeline: Pipeline) -> dict[str, Any]:
    """What the preparation did, by step, as JSON values."""
    steps = pipeline.named_steps
    imputer, winsorizer, skew = steps["impute"], steps["winsorize"], steps["unskew"]
    selector, components = steps["select"], steps["components"]
    names = imputer.kept_names
    return {
        "features": selector.kept_names,
        "dropped": [*imputer.dropped_, *selector.dropped_],
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


def _json_number(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _load_profile(entry: dict[str, Any]) -> Profile:
    return Profile(
        **{
            **entry,
            "traits": tuple(Trait(**trait) for trait in entry["traits"]),
            "words": tuple(WordShare(**word) for word in entry["words"]),
            "examples": tuple(entry["examples"]),
        }
    )
