"""Definitions of the experiments that the simulator plants, so that a simulated site comes with its analyses."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from ml.experiments.drafting import add_experiment
from ml.sources.simulator.site import Site

_PLANTED: dict[str, dict[str, Any]] = {
    "new_checkout": {
        "hypothesis": "A checkout on one page brings more purchases a user.",
        "primary_metric": "purchases_per_user",
        "secondary_metrics": ["conversion", "revenue_per_user", "checkout_to_purchase", "page_views_per_user"],
        "guardrails": [{"metric": "retention_next_week", "margin": 0.1}],
        "minimum_detectable_effect": 0.1,
    },
    "newsletter_prompt": {
        "hypothesis": "A prompt at the end of an article brings more subscriptions.",
        "primary_metric": "subscription_rate",
        "secondary_metrics": ["sessions_per_user"],
        "guardrails": [{"metric": "engaged_seconds_per_user", "margin": 0.1}],
        "minimum_detectable_effect": 0.2,
    },
    "new_font": {
        "hypothesis": "A larger font makes people read more pages.",
        "primary_metric": "page_views_per_user",
        "secondary_metrics": ["engaged_seconds_per_user", "purchases_per_user", "median_engaged_seconds"],
        "minimum_detectable_effect": 0.05,
    },
}


def write_planted_experiments(site: Site, path: Path) -> None:
    """Write the definitions with the site's own dates; experiments of unknown purpose are left to their owner.

    Raises:
        ml.experiments.drafting.ExperimentExistsError: the file has one of them already.
    """
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
                    "planned_units": 2 * len(site.population(planted.end_day).key),
                },
            },
        )
