"""`GET /v1/experiments/{id}/assignment`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ml.experiments.definition.assignment import assign_unit
from ml.experiments.definition.targeting import build_targeting_context
from ml.privacy.person_key import person_key
from serving.context.request_situation import find_usable_facts
from serving.errors import JSON, ApiError
from serving.experiment.assignment_exposures import log_assignment, read_ids
from serving.experiment.treatments import UNITS
from serving.privacy.person_ids import clean_person
from serving.routes.bodies import read_flag
from serving.routes.browser_routes import browser_route
from serving.routes.callers import is_flood, read_identity, require_user
from serving.tessera import Tessera


def experiment_routes(tessera: Tessera) -> list[Route]:
    """Create the routes."""

    async def assignment(request: Request) -> Response:
        caller = tessera.access.caller(request)
        query = dict(request.query_params)
        is_shown = read_flag(request, "expose", default=True)
        is_shown &= not is_flood(tessera, request, caller, query.get("anonymous_id"))
        identity = None if caller.is_trusted else read_identity(tessera, request)
        if not caller.is_trusted:
            require_user(identity, query.get("user_id"))
        query = clean_query(tessera, query)
        answer = answer_assignment(tessera, request.path_params["experiment_id"], query)
        ids = read_ids(query, answer["unit_type"], identity, is_trusted=caller.is_trusted)
        answer["exposed"] = is_shown and log_assignment(tessera, answer, ids)
        return JSON(answer)

    path = "/v1/experiments/{experiment_id}/assignment"
    return [browser_route(tessera.cors, path, assignment, "GET")]


def clean_query(tessera: Tessera, query: Mapping[str, str]) -> dict[str, str]:
    """Return the query with the ids under which events keep people: pseudonyms in place of e-mail addresses.

    Raises:
        ApiError: 422, the site refuses such an id.
    """
    ids = {name: query[name] for name in ("user_id", "anonymous_id") if query.get(name)}
    return {**query, **{name: clean_person(tessera, person, name) for name, person in ids.items()}}


def answer_assignment(tessera: Tessera, experiment_id: str, query: dict[str, str]) -> dict[str, Any]:
    """Return the variant of a unit, which is the same every time.

    Raises:
        UnknownExperimentError: There is no experiment with this id.
        ApiError: 400, the query lacks the id that the experiment assigns by.
    """
    experiments = tessera.experiments.experiments
    experiment = experiments.get(experiment_id)
    name = UNITS[experiment.unit]
    unit = query.get(name)
    if not unit:
        raise ApiError(400, f"experiment {experiment_id} assigns by {name}: send it in the query", name)
    tessera.catch_up()
    keys = person_key(query.get("user_id"), None), person_key(None, query.get("anonymous_id"))
    user_facts = None if tessera.erased.has_unit(experiment.unit, unit) else find_usable_facts(tessera, keys)
    facts = {"is_known": experiment.unit == "user", **(user_facts or {}), **query}
    assignment = assign_unit(experiments, experiment_id, unit, build_targeting_context(facts), tessera.clock())
    return {
        "experiment_id": experiment_id,
        "unit_type": assignment.unit_type,
        "unit_id": assignment.unit_id,
        "variant": assignment.variant,
        "reason": assignment.reason,
        "payload": dict(assignment.payload),
    }
