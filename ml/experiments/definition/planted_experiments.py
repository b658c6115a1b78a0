"""Define the experiments that the simulator plants, so that a simulated site comes with their analyses."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from ml.experiments.definition.drafts import add_experiment
from ml.home import Home
from ml.site.definition_files import definition_file, editable_path, product_config
from ml.sources.simulator.site import Site

FILE = "experiments.yaml"
# The simulator's lifts hold from the exposure to the end, so these metrics have no window.
_METRICS = """\

# Metrics of the experiments that the simulator planted; their dates are those of the simulated site.
metrics:
  purchases_until_the_end: {kind: mean, measure: purchases, description: Purchases from the exposure to the end.}
  revenue_until_the_end: {kind: revenue, description: Revenue from the exposure to the end.}
  add_to_carts_until_the_end: {kind: mean, measure: add_to_carts, description: Items added to carts until the end.}
  page_views_until_the_end: {kind: mean, measure: page_views, description: Pages seen until the end.}
  subscribed: {kind: proportion, measure: subscribes, covariate_days: 0, description: Share of subscribers.}
"""
_PLANTED: dict[str, dict[str, Any]] = {
    "new_checkout": {
        "hypothesis": "A checkout on one page brings more purchases per user.",
        "primary_metric": "purchases_until_the_end",
        "secondary_metrics": ["revenue_until_the_end", "add_to_carts_until_the_end", "checkout_to_purchase"],
        "guardrails": [{"metric": "page_views_until_the_end", "margin": 0.1}],
        "minimum_detectable_effect": 0.1,
    },
    "newsletter_prompt": {
        "hypothesis": "A prompt at the end of an article brings more subscriptions.",
        "primary_metric": "subscribed",
        "secondary_metrics": ["sessions_per_user"],
        "guardrails": [{"metric": "engaged_seconds_per_user", "margin": 0.1}],
        "minimum_detectable_effect": 0.2,
    },
    "new_font": {
        "hypothesis": "A larger font makes people read more pages.",
        "primary_metric": "page_views_until_the_end",
        "secondary_metrics": ["engaged_seconds_per_user", "purchases_until_the_end", "median_engaged_seconds"],
        "minimum_detectable_effect": 0.05,
    },
}


def define_planted_experiments(site: Site, home: Home) -> None:
    """Add the planted experiments to the definitions that come with the product.

    Nothing is written if the definitions in force differ from those that come with the product.
    """
    original = product_config() / FILE
    if definition_file(home, FILE).read_bytes() == original.read_bytes():
        path = editable_path(home, FILE)
        path.unlink(missing_ok=True)
        write_planted_experiments(site, path, original.read_text(encoding="utf-8"))


def write_planted_experiments(site: Site, path: Path, beginning: str = "version: 1\n") -> None:
    """Write the definitions, with the site's dates, into a new file.

    Args:
        site: the simulated site.
        path: file to create.
        beginning: text to which the definitions are added.

    Raises:
        FileExistsError: the file exists and may contain a site's own definitions.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(beginning + _METRICS)
    units = len(site.population(max(planted.end_day for planted in site.planted)).key)
    for planted in site.planted:
        body = _PLANTED[planted.experiment_id]
        start, end = (
            datetime.combine(site.date_of(day), time(), UTC).isoformat()
            for day in (planted.start_day, planted.end_day)
        )
        add_experiment(
            path,
            planted.experiment_id,
            {
                **body,
                "unit": "user",
                "variants": {"control": {"share": 0.5}, "treatment": {"share": 0.5}},
                "starts_at": start,
                "ends_at": end,
                "decision": {
                    "inference": "always_valid",
                    "planned_units": max(units, 100),
                },
            },
        )
