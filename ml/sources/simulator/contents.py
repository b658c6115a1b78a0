"""The contents of the hero slot on the home page: how often each is shown, and how often it is then clicked."""

from __future__ import annotations

import numpy as np

SLOT = "hero"
RULE = "hero-learns"
CONTENTS: tuple[str, ...] = ("editors-choice", "most-read", "new-today")
DEVICES: tuple[str, ...] = ("mobile", "other")

# (devices, contents). The site shows more often what earns more clicks on the device, so that the plain share of
# clicks of a content says something else than what it would earn everywhere.
SHOWN_CHANCES = np.array([[0.2, 0.6, 0.2], [0.3, 0.2, 0.5]])
CLICK_CHANCES = np.array([[0.06, 0.16, 0.05], [0.09, 0.05, 0.14]])


def draw_contents(device: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """(n,) place in CONTENTS for the (n,) places in DEVICES and uniform draws."""
    edges = np.cumsum(SHOWN_CHANCES, axis=1)[device, :-1]
    return np.asarray((edges <= draws[:, None]).sum(axis=1))
