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
    "promotions": "Changes of the champion. Each run says which version took the place of which, and why.",
}
MODEL = (
    "The recommenders that were trained. The alias `champion` names the version that the service answers with; it "
    "moves only when a candidate is better by more than noise and keeps the guardrails."
)


def experiment_tags(name: str) -> dict[str, str]:
    """Return the tags of a new experiment."""
    return {**KIND, **({NOTE: EXPERIMENTS[name]} if name in EXPERIMENTS else {})}
