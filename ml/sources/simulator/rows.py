"""Events on their way to Arrow: columns of codes, collected kind by kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.arrays import F64, I16, I32, I64
from ml.events.contract import EVENT_TYPES
from ml.events.normalization.event_names import DEAD_CLICK, RAGE_CLICK, SCROLL_REVERSAL

GALLERY_ZOOM = "custom:gallery_zoom"
TYPE_NAMES: tuple[str, ...] = (*EVENT_TYPES, GALLERY_ZOOM, RAGE_CLICK, DEAD_CLICK, SCROLL_REVERSAL)
TYPE_CODES = {name: code for code, name in enumerate(TYPE_NAMES)}
NONE = -1
OF_THE_PAGE = -2


@dataclass
class Rows:
    """(n,) arrays; -1 is none. type: place in TYPE_NAMES. view: row of the views. time_ms: Unix ms.

    properties: code of a text. item: row of the items. recommendation, exposure: rows of the block's own
    tables.
    """

    type: I16
    view: I32
    time_ms: I64
    value: F64
    properties: I32
    item: I32
    recommendation: I32
    exposure: I32

    def __len__(self) -> int:
        return len(self.type)


class RowCollector:
    """Takes events kind by kind and joins them once."""

    def __init__(self) -> None:
        self._parts: list[tuple[npt.NDArray[np.generic], ...]] = []

    def add(
        self,
        event_type: str,
        view: I64,
        time_ms: I64,
        value: F64 | None = None,
        properties: I64 | int = NONE,
        item: I64 | int = OF_THE_PAGE,
        recommendation: I64 | int = NONE,
        exposure: I64 | int = NONE,
    ) -> None:
        """Events of one type, one for each element of `view`; items default to the view's."""
        n = len(view)
        if not n:
            return
        self._parts.append(
            (
                np.full(n, TYPE_CODES[event_type], dtype=np.int16),
                view.astype(np.int32, copy=False),
                time_ms.astype(np.int64, copy=False),
                np.full(n, np.nan) if value is None else value.astype(np.float64, copy=False),
                _column(properties, n),
                _column(item, n),
                _column(recommendation, n),
                _column(exposure, n),
            )
        )

    def rows(self, view_item: I64) -> Rows:
        """All events; `view_item` (views,) fills in the items of the pages."""
        if not self._parts:
            codes, indices, times = np.empty(0, np.int16), np.empty(0, np.int32), np.empty(0, np.int64)
            return Rows(codes, indices, times, np.empty(0), indices, indices, indices, indices)
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        rows = Rows(*columns)
        inherit = np.flatnonzero(rows.item == OF_THE_PAGE)
        rows.item[inherit] = view_item[rows.view[inherit]]
        return rows


def _column(values: I64 | int, n: int) -> I32:
    if isinstance(values, int):
        return np.full(n, values, dtype=np.int32)
    return values.astype(np.int32, copy=False)
