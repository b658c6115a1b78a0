"""How far what memberships say of planted kinds is from how often it comes true."""

from __future__ import annotations

import numpy as np

from ml.arrays import F64, I64, Bools

BINS = 10


def calibration_error(confidence: F64, is_right: Bools) -> float:
    """Return the expected calibration error of statements (n,) with a confidence (n,), over ten equal bins."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return sum(
        float((bins == number).mean() * abs(confidence[bins == number].mean() - is_right[bins == number].mean()))
        for number in np.unique(bins)
    )


def memberships_of_kinds(memberships: F64, kinds: I64) -> F64:
    """Return what memberships in segments (n, segments) say of the planted kind of each person (n,): (n, kinds).

    A segment speaks for the kind that most of its people have. Segments of one kind, such as people of one
    interest who come in the evening and at night, are added up.
    """
    people = np.zeros((memberships.shape[1], kinds.max() + 1))
    np.add.at(people, (memberships.argmax(axis=1), kinds), 1)
    told: F64 = memberships @ np.eye(people.shape[1])[people.argmax(axis=1)]
    return told
