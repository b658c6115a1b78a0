"""Who consents to personalization, and may therefore be segmented and written to."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools

CONSENT = "has_personalization_consent"


def mask_consenting(users: pa.Table) -> Bools:
    """Mark the users (n,) who consent; a missing answer is none. Raises KeyError if there is no such column."""
    return np.asarray(pc.fill_null(users.column(CONSENT), False)).astype(bool)
