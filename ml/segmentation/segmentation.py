"""The fitted segmentation: it assigns a named segment to a table of users or to a single user."""

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
from ml.segmentation.clusters.selection import ClusteringCandidate
from ml.segmentation.clusters.surrogate import SurrogateTree
from ml.segmentation.evidence import EvidenceDiscount
from ml.segmentation.features.features import USER_ID, check_users, to_floats
from ml.segmentation.persistence import load_estimators, save_estimators
from ml.segmentation.profiles.profiles import SegmentProfile

EVERYONE = "Everyone"
NOBODY = "No segment"
BLOCK_ROWS = 100_000  # users assigned at once; keeps memory at a few hundred MiB


@dataclass(frozen=True)
class SegmentAssignment:
    """The segment of one user; for noise `segment` is -1 and `name` is "No segment"."""

    segment: int
    name: str
    membership: dict[int, float]


@dataclass
class Segmentation:
    """A fitted segmentation and how it came about.

    Attributes:
        pipeline: fitted preparation from a table of users to scores.
        model: fitted clustering model.
        ids: number of each segment.
        names: name of each segment.
        next_id: first segment number that was never used.
        candidates: the divisions that were compared.
        reason: why this division was chosen, in one sentence.
        profiles: descriptions of the segments that are large enough to be described.
        preparation: what the preparation did, as JSON values.
        has_structure: False if all users form one segment because no structure was detected.
        overlaps: overlap of each segment with the previous segment of the same number.
        surrogate: a decision tree that approximates the segments.
        discount: how memberships are discounted by little evidence, None if nothing counts the evidence.
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
    discount: EvidenceDiscount | None = None

    def scores(self, table: pa.Table) -> F64:
        """Return scores (n_users, d) in the space in which the segments lie."""
        return np.asarray(self.pipeline.transform(table))

    def can_assign(self, table: pa.Table) -> bool:
        """Return whether the table has every column that the segments were fitted with."""
        return {feature.column for feature in self.pipeline.steps[0][1].features_} <= set(table.column_names)

    def memberships(self, table: pa.Table) -> F64:
        """Return the membership of every row in every segment (n_users, n_segments), by index.

        A membership is the probability of the segment, given the features and how much evidence they rest on.
        """
        blocks = [
            self.model.membership(self.scores(table.slice(start, BLOCK_ROWS)))
            for start in range(0, table.num_rows, BLOCK_ROWS)
        ]
        shares = np.concatenate(blocks) if blocks else np.empty((0, len(self.ids)))
        if self.discount is None or self.discount.column not in table.column_names:
            return shares
        return self.discount.apply(shares, to_floats(table.column(self.discount.column)))

    def assign(self, table: pa.Table) -> pa.Table:
        """Assign a segment to every row of a table.

        Returns:
            A table with `user_id, segment, name` and one column `membership_<segment>` per segment.

        Raises:
            InvalidInputError: columns are missing, or `user_id` is not unique.
        """
        check_users(table)
        shares = self.memberships(table)
        labels = label_users(shares)
        ids = np.array([*self.ids, NOISE])[labels]
        names = pa.DictionaryArray.from_arrays(
            pa.array(np.where(labels == NOISE, len(self.ids), labels)), pa.array([*self.names, NOBODY])
        )
        columns = {USER_ID: table.column(USER_ID), "segment": pa.array(ids), "name": names.cast(pa.string())}
        columns |= {f"membership_{id_}": pa.array(shares[:, i]) for i, id_ in enumerate(self.ids)}
        return pa.table(columns)

    def assign_user(self, row: Mapping[str, Any]) -> SegmentAssignment:
        """Assign a segment to one user, given as column names to values.

        Missing values are filled by rule. A row that does not count its evidence rests on none.
        """
        steps = iter(self.pipeline.steps)
        _, encoder = next(steps)
        values = encoder.transform_user(row)
        for _, step in steps:
            values = step.transform(values)
        shares = self.model.membership(values)
        if self.discount is not None:
            evidence = row.get(self.discount.column)
            shares = self.discount.apply(shares, np.array([0.0 if evidence is None else float(evidence)]))
        index = int(label_users(shares)[0])
        membership = dict(zip(self.ids, shares[0].tolist(), strict=True))
        if index == NOISE:
            return SegmentAssignment(NOISE, NOBODY, membership)
        return SegmentAssignment(self.ids[index], self.names[index], membership)

    def save(self, folder: Path) -> None:
        """Write `state.json`, `arrays.npz` and `segments.json`, replacing an older segmentation in the folder.

        A saved segmentation lists no example users, because copies of it travel to places from which a person is
        hard to erase.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        extra = {
            "ids": self.ids,
            "names": self.names,
            "next_id": self.next_id,
            "reason": self.reason,
            "has_structure": self.has_structure,
            "overlaps": self.overlaps,
            "discount": self.discount.document() if self.discount else None,
        }
        save_estimators({**dict(self.pipeline.steps), "model": self.model}, partial, extra)
        document = self.document()
        document["segments"] = [{**segment, "examples": []} for segment in document["segments"]]
        (partial / "segments.json").write_text(json.dumps(document, indent=1, allow_nan=False))
        partial.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)

    def document(self) -> dict[str, Any]:
        """Return profiles, preparation and the comparison of candidates as JSON values."""
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
    """Load a segmentation that `Segmentation.save` wrote.

    Raises:
        InvalidInputError: the format is unknown.
        FileNotFoundError: a part is missing.
    """
    estimators, extra = load_estimators(folder)
    document = json.loads((folder / "segments.json").read_text())
    model = estimators.pop("model")
    discount = extra.pop("discount", None)
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
        discount=EvidenceDiscount.from_document(discount) if discount else None,
        **extra,
    )


def small_segment_name(segment: int) -> str:
    """Return the name of a segment that is too small to be described."""
    return f"Small segment {segment}"


def _json_value(value: Any) -> Any:
    """Return the value with None in place of numbers that JSON cannot represent."""
    if isinstance(value, dict):
        return {key: _json_value(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
