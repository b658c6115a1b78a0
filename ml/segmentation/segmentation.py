"""The fitted segmentation: from a row of features to a named segment, for everybody and for one user."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.pipeline import Pipeline

from ml.arrays import F64
from ml.segmentation.clusters.algorithms import NOISE, SegmentModel, label_users
from ml.segmentation.clusters.choice import ClusteringCandidate
from ml.segmentation.clusters.surrogate import SurrogateTree
from ml.segmentation.features.features import USER_ID, check_users
from ml.segmentation.persistence import load_estimators, save_estimators
from ml.segmentation.profiles.profiles import SegmentProfile

EVERYONE = "Everyone"
NOBODY = "No segment"
BLOCK_ROWS = 100_000  # users assigned at once; bounds memory at some hundred MiB


@dataclass(frozen=True)
class SegmentAssignment:
    """One user's segment; `segment` is -1 and `name` "No segment" for noise."""

    segment: int
    name: str
    membership: dict[int, float]


@dataclass
class Segmentation:
    """Pipeline, model, numbers and names of the segments, and how they came about.

    `profiles` describes the segments that are large enough to be told about.
    """

    pipeline: Pipeline
    model: SegmentModel
    ids: list[int]
    names: list[str]
    next_id: int
    candidates: list[ClusteringCandidate]
    reason: str
    profiles: list[SegmentProfile]
    preparation: dict[str, Any]
    has_structure: bool
    overlaps: list[float] = field(default_factory=list)
    surrogate: SurrogateTree | None = None

    def scores(self, table: pa.Table) -> F64:
        """Scores (n_users, d) in the space in which the segments lie."""
        return np.asarray(self.pipeline.transform(table))

    def can_assign(self, table: pa.Table) -> bool:
        """Whether the table has every column that the segments were fitted with."""
        return {feature.column for feature in self.pipeline.steps[0][1].features_} <= set(table.column_names)

    def assign(self, table: pa.Table) -> pa.Table:
        """`user_id, segment, name, membership_<segment>…` of every row; ValueError if columns are missing."""
        check_users(table)
        blocks = [
            self.model.membership(self.scores(table.slice(start, BLOCK_ROWS)))
            for start in range(0, table.num_rows, BLOCK_ROWS)
        ]
        shares = np.concatenate(blocks) if blocks else np.empty((0, len(self.ids)))
        labels = label_users(shares)
        ids = np.array([*self.ids, NOISE])[labels]
        names = pa.DictionaryArray.from_arrays(
            pa.array(np.where(labels == NOISE, len(self.ids), labels)), pa.array([*self.names, NOBODY])
        )
        columns = {USER_ID: table.column(USER_ID), "segment": pa.array(ids), "name": names.cast(pa.string())}
        columns |= {f"membership_{id_}": pa.array(shares[:, i]) for i, id_ in enumerate(self.ids)}
        return pa.table(columns)

    def assign_one(self, row: Mapping[str, Any]) -> SegmentAssignment:
        """Segment of one user from columns to values; what they lack is filled by the missing rules."""
        steps = iter(self.pipeline.steps)
        _, encoder = next(steps)
        values = encoder.transform_one(row)
        for _, step in steps:
            values = step.transform(values)
        shares = self.model.membership(values)
        index = int(label_users(shares)[0])
        membership = dict(zip(self.ids, shares[0].tolist(), strict=True))
        if index == NOISE:
            return SegmentAssignment(NOISE, NOBODY, membership)
        return SegmentAssignment(self.ids[index], self.names[index], membership)

    def save(self, folder: Path) -> None:
        """Write `state.json`, `arrays.npz` and `segments.json`; an older segmentation there is replaced whole.

        A saved segmentation names no example users: it travels to places from which a person is hard to erase.
        """
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
        document = self.document()
        document["segments"] = [{**segment, "examples": []} for segment in document["segments"]]
        (fresh / "segments.json").write_text(json.dumps(document, indent=1, allow_nan=False))
        fresh.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)

    def document(self) -> dict[str, Any]:
        """Profiles, preparation and the choice with its table, as JSON values."""
        return {
            "segments": [_json_value(asdict(profile)) for profile in self.profiles],
            "choice": {
                "reason": self.reason,
                "has_structure": self.has_structure,
                "table": [_json_value(asdict(candidate)) for candidate in self.candidates],
            },
            "preparation": self.preparation,
            "surrogate": asdict(self.surrogate) if self.surrogate else None,
        }


def load_segmentation(folder: Path) -> Segmentation:
    """Inverse of `Segmentation.save`; ValueError on an unknown format, FileNotFoundError on a missing part."""
    estimators, extra = load_estimators(folder)
    document = json.loads((folder / "segments.json").read_text())
    model = estimators.pop("model")
    return Segmentation(
        pipeline=Pipeline(list(estimators.items())),
        model=model,
        candidates=[
            ClusteringCandidate(**{key: float("nan") if value is None else value for key, value in row.items()})  # type: ignore[arg-type]
            for row in document["choice"]["table"]
        ],
        profiles=[SegmentProfile.from_document(entry) for entry in document["segments"]],
        preparation=document["preparation"],
        surrogate=SurrogateTree(**document["surrogate"]) if document["surrogate"] else None,
        **extra,
    )


def small_segment_name(segment: int) -> str:
    """Name of a segment that is too small to be described."""
    return f"Small segment {segment}"


def _json_value(value: Any) -> Any:
    """The value with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _json_value(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
