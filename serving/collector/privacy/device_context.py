"""Orientation, battery and motion as three words: enough to choose a layout, too little to recognize a device."""

from __future__ import annotations

from typing import Any, TypeGuard

LOW_BATTERY, HIGH_BATTERY = 0.2, 0.6
MOVING_MS2 = 1.5  # m/s² of acceleration without gravity; a hand that holds a phone stays below
LANDSCAPE_DEGREES = 45.0


def coarsen_device_context(context: Any) -> dict[str, str]:
    """Coarsen the readings of a device's sensors to words.

    Args:
        context: `orientation` (portrait, landscape, or degrees of roll), `battery_level` (0 to 1) and
            `acceleration` (m/s²); anything else in it is dropped.
    """
    if not isinstance(context, dict):
        return {}
    coarse: dict[str, str] = {}
    orientation = context.get("orientation")
    if orientation in ("portrait", "landscape"):
        coarse["orientation"] = orientation
    elif _is_number(orientation):
        coarse["orientation"] = "landscape" if LANDSCAPE_DEGREES < abs(orientation) % 180 < 135 else "portrait"
    battery = context.get("battery_level")
    if _is_number(battery) and 0 <= battery <= 1:
        coarse["battery"] = "low" if battery < LOW_BATTERY else "high" if battery > HIGH_BATTERY else "medium"
    acceleration = context.get("acceleration")
    if _is_number(acceleration):
        coarse["motion"] = "moving" if abs(acceleration) > MOVING_MS2 else "still"
    return coarse


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
