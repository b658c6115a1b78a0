"""Write the usage report: one HTML file for whoever wants to know what people do on the site."""

from __future__ import annotations

from pathlib import Path

from ml.pages.templates import page_templates
from ml.usage.figures import UsageFigures
from ml.usage.ratios import Ratio

TEMPLATE = "report.html.j2"
COHORTS_SHOWN, WEEKS_SHOWN = 16, 12
NARROW = 0.02  # of an interval of shares that is worth a decimal


def render_report(figures: UsageFigures | None) -> str:
    """Render the page; without figures it says that nobody has used the site yet."""
    environment = page_templates(Path(__file__).parent)
    environment.filters |= {"share": format_share, "seconds": format_seconds, "count": "{:,}".format}
    return environment.get_template(TEMPLATE).render(
        figures=figures, cohorts_shown=COHORTS_SHOWN, weeks_shown=WEEKS_SHOWN
    )


def format_share(ratio: Ratio) -> str:
    """Write a share in percent with its interval, such as `3.1% (2.8–3.4)`."""
    if ratio.value is None:
        return "–"
    if ratio.low is None or ratio.high is None:
        return f"{100 * ratio.value:.0f}%"
    digits = 0 if ratio.high - ratio.low >= NARROW else 1
    return f"{100 * ratio.value:.{digits}f}% ({100 * ratio.low:.{digits}f}–{100 * ratio.high:.{digits}f})"


def format_seconds(ratio: Ratio) -> str:
    """Write a mean of seconds with its interval, such as `42 s (39–45)`."""
    if ratio.value is None:
        return "–"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.0f} s"
    return f"{ratio.value:.0f} s ({ratio.low:.0f}–{ratio.high:.0f})"
