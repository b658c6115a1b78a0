"""Logs the exposures of variants that the site shows itself, after the service was asked for the assignment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from serving.errors import describe_invalid_body
from serving.experiment.treatments import UNITS, Exposure, Treatment
from serving.privacy.identity_token import Identity
from serving.recommend.answer_log import log_exposures
from serving.requests import RecommendationRequest
from serving.tessera import Tessera


def log_assignment(tessera: Tessera, assignment: Mapping[str, Any], ids: Mapping[str, str]) -> bool:
    """Log that a unit sees its variant, unless that was logged before.

    Args:
        tessera: The service.
        assignment: The answer of the route, with `experiment_id, unit_type, unit_id, variant`.
        ids: The ids of the request by name, of which the unit is one, as events keep them.

    Returns:
        Whether the unit counts as exposed. A unit without a variant does not, nor does somebody who opted out, nor
        a session of which neither user nor browser is named.

    Raises:
        ApiError: 422, an id is no identifier.
    """
    if assignment["variant"] is None or tessera.erased.has_unit(assignment["unit_type"], assignment["unit_id"]):
        return False
    try:
        request = RecommendationRequest.model_validate(dict(ids))
    except ValidationError as error:
        raise describe_invalid_body(error) from None
    if not tessera.treatment_assigner.may_take_part(request):
        return False
    unit_type = assignment["unit_type"]
    exposure = Exposure(assignment["experiment_id"], unit_type, ids[UNITS[unit_type]], assignment["variant"])
    log_exposures(tessera, request, Treatment(exposures=(exposure,)), tessera.clock().timestamp())
    return True


def read_ids(
    query: Mapping[str, str], unit_type: str, identity: Identity | None, *, is_trusted: bool
) -> dict[str, str]:
    """Return the ids of a query that may stand in the same event.

    A browser links its device to a user by an identity token that names both. Without it, the event holds only the
    one of the two that the experiment assigns by.
    """
    ids = {name: query[name] for name in UNITS.values() if query.get(name)}
    is_linked = identity is not None and identity.anonymous_id == ids.get("anonymous_id")
    if not is_trusted and not is_linked and "user_id" in ids:
        ids.pop("user_id" if unit_type == "anonymous" else "anonymous_id", None)
    return ids
