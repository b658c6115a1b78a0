"""Numbers and intervals as text, for the page and for the terminal."""

from __future__ import annotations

from math import isfinite, isnan

from ml.experiments.analysis.inference import EffectInterval


def format_number(value: float) -> str:
    """Format a number with four significant digits, or with thousands separated."""
    if isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def format_percent(value: float) -> str:
    """Format a signed percentage."""
    return "–" if isnan(value) else f"{value:+.2%}"


def format_bounds(interval: EffectInterval) -> str:
    """Format the bounds of an interval in percent; an interval may have a single bound."""
    if isnan(interval.low) or isnan(interval.high):
        return "–"
    if interval.is_bounded:
        return f"{interval.low:+.2%} to {interval.high:+.2%}"
    if isfinite(interval.low):
        return f"at least {interval.low:+.2%}"
    return f"at most {interval.high:+.2%}" if isfinite(interval.high) else "too early"


def format_p_value(value: float) -> str:
    """Format a p-value with four digits."""
    if isnan(value):
        return "–"
    return "&lt; .0001" if value < 0.0001 else f"{value:.4f}"


def format_p_equation(value: float) -> str:
    """Format a p-value within a sentence."""
    return f"p {format_p_value(value)}" if value < 0.0001 else f"p = {format_p_value(value)}"


def format_probability(value: float) -> str:
    """Format a probability in percent."""
    if isnan(value):
        return "–"
    return "&gt; 99.9%" if value > 0.999 else "&lt; 0.1%" if value < 0.001 else f"{value:.1%}"
