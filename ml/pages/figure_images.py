"""Figures as PNG images. A figure that goes to several places is drawn once."""

from __future__ import annotations

import io
from weakref import WeakKeyDictionary

from matplotlib.figure import Figure

DOTS_PER_INCH = 100

_drawn: WeakKeyDictionary[Figure, bytes] = WeakKeyDictionary()


def draw_png(figure: Figure) -> bytes:
    """Return a figure as PNG. It must not change after the first call: the same image is returned again."""
    image = _drawn.get(figure)
    if image is None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
        image = _drawn[figure] = buffer.getvalue()
    return image
