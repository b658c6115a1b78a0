"""What the pages of MLflow say about experiments and models, in words."""

from __future__ import annotations

from collections.abc import Mapping

NOTE = "mlflow.note.content"  # the tag that the pages show as a description
# Without it, the pages of MLflow open on traces of language models, of which there are none.
KIND = {"mlflow.experimentKind": "custom_model_development"}
SOURCE = {"mlflow.source.name": "tessera", "mlflow.source.type": "PROJECT"}
EXPERIMENTS: Mapping[str, str] = {
    "recommendation": (
        "Recommenders. A run `candidates` compares all configurations on what people did after a split in time; "
        "each candidate is a run below it, with NDCG and other metrics, its figures by group of users, and its "
        "parameters. A run `champion …` is the chosen configuration, fitted on everything."
    ),
    "segmentation": (
        "Segments of users. Each run compares the divisions that were tried, and has the report, the fitted model "
        "and how much the segments say about the month after."
    ),
    "sequences": (
        "Sequences of actions within a visit. `paths` describes the usual ways through the site, `boosted_intent` "
        "estimates during a visit whether it will end in a conversion, and `signals` looks for what people do "
        "before one."
    ),
    "experiments": "Experiments of the site. Each run is an analysis with effects, checks and decision.",
    "canaries": (
        "New models that answered some of the people first. Each run is one of them: the clicked answers of either"
        " model and their difference, with bounds, after each run of the pipeline, and what became of it."
    ),
    "promotions": "Changes of the champion. Each run says which version took the place of which, and why.",
}
RUNS: Mapping[str, str] = {
    "candidates": (
        "Every configuration, fitted on what was known at the split and measured on what came next. The table "
        "`comparison` and the plot of the same name compare them, with intervals."
    ),
    "search": "A search for parameters. Each trial is a run below it; the table `search` ranks them.",
    "segment_report": (
        "The report on the segments, and how much of each outcome of the following month they explain, "
        "from 0 to 1."
    ),
    "paths": (
        "Visits as Markov chains: the chance to convert, where visits end, and the conversions that each channel "
        "brought. The tables `paths` and `path_attribution` of the warehouse hold the result."
    ),
    "boosted_intent": (
        "A model that says after each action of a visit how likely it converts, ends at this page, and is "
        "followed by another within a week. It was measured on later visits; the figure `reliability` compares "
        "predicted with observed shares."
    ),
    "signals": (
        "What small actions do to the conversion of a visit, adjusted for what else is known about it. The figure "
        "`effects` has the intervals."
    ),
}
"""What a run of this name is."""
MODEL = (
    "The recommenders that were trained. The alias `champion` names the version that the service answers with; it "
    "moves only when a candidate is better by more than noise and keeps the guardrails."
)


def experiment_tags(name: str) -> dict[str, str]:
    """Return the tags of a new experiment."""
    return {**KIND, **({NOTE: EXPERIMENTS[name]} if name in EXPERIMENTS else {})}
