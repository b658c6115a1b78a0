"""What to try next, from why no division was admissible, or from what the admissible one is like."""

from __future__ import annotations

from ml.segmentation.segmentation import Segmentation
from ml.settings.segmentation import SegmentationSettings

FEW_USERS = 200  # with fewer, only groups that lie far apart can be told from chance
CLOSE_SHARE = 0.5  # of the silhouette that structureless data reach as well
ROUGH_FIDELITY = 0.8  # of the questions that assign people


def advise(segmentation: Segmentation, settings: SegmentationSettings) -> list[str]:
    """Sentences that say what is likely to help most, the most telling first.

    Args:
        segmentation: the segmentation.
        settings: the section `segmentation` of the settings that it was learned with.
    """
    users = segmentation.preparation["shaping_users"]
    advice = []
    if not segmentation.has_structure:
        advice += _advise_without_structure(segmentation, settings)
    else:
        chosen = next((candidate for candidate in segmentation.candidates if candidate.chosen), None)
        if chosen is not None and chosen.null_silhouette >= CLOSE_SHARE * chosen.silhouette:
            share = chosen.null_silhouette / chosen.silhouette
            advice.append(
                f"The segments overlap: structureless data reach {share:.0%} of their silhouette. Go by the "
                "memberships rather than by the segment alone."
            )
        if segmentation.surrogate is not None and segmentation.surrogate.fidelity < ROUGH_FIDELITY:
            advice.append(
                "A few questions do not tell the segments apart: use the model, not rules, to assign people."
            )
        advice.append("Check by an experiment whether the segments answer differently before you treat them so.")
    if users < FEW_USERS:
        advice.append(
            f"With {users:,} users only groups that lie far apart can be told from chance: add more users."
        )
    return advice


def _advise_without_structure(segmentation: Segmentation, settings: SegmentationSettings) -> list[str]:
    dropped = [name for name, _ in segmentation.preparation["dropped"]]
    advice = []
    below = [c for c in segmentation.candidates if c.segments > 1 and c.p_value <= settings.choice.significance]
    if below:
        nearest = max(below, key=lambda candidate: candidate.silhouette - candidate.null_silhouette)
        advice.append(f"What came nearest is {nearest.description}, refused since: {nearest.refused}.")
    if "alone divide" in segmentation.reason:
        advice.append("Make a segment by rule of the column that alone divides the users, and leave it out here.")
    if len(segmentation.preparation["features"]) < 3:
        advice.append("Add columns that say how people behave: few columns divide users into few kinds.")
    if dropped:
        advice.append(f"These columns took no part, and may say more in another form: {', '.join(dropped)}.")
    advice.append(
        "If a number of groups is needed all the same, ask for it by --k or `segmentation.choice.segments`: they "
        "are then parts of one crowd, not kinds of people."
    )
    return advice
