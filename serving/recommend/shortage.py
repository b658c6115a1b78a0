"""Says why an answer has fewer items than were requested."""

from __future__ import annotations

from serving.recommend.context import RequestContext


def describe_shortage(context: RequestContext, count: int) -> str | None:
    """Return a sentence for the developer who reads the answer; None if the answer is complete.

    Args:
        context: The request.
        count: Number of items in the answer.
    """
    if count >= context.k:
        return None
    index, join = context.bundle.index, context.bundle.join
    total = len(index.item_ids) if index is not None else 0
    beginning = f"{count} of {context.k} items:"
    if not total:
        return f"{beginning} no items are published yet."
    left_out = sum(join.row_of(key) >= 0 for key in context.excluded)
    reason = (
        f"{beginning} the site has {total:,}, of which the person has already seen or rejected, or the request "
        f"excludes, {left_out:,}."
    )
    if left_out + count < total:
        reason += " The filter, muted topics, languages, limits or rules leave out others."
    return reason
