"""Whether this worker can answer: a canary request through the whole chain, the store, and the bundle."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import replace

import numpy as np

from ml.bundle import BundleError
from serving.bundles.smoke_test import SmokeTestError, choose_known_person, recommend_dry
from serving.recommend.context_builder import build_context
from serving.requests import RecommendationRequest
from serving.state.store import StoreUnavailableError
from serving.tessera import Tessera

logger = logging.getLogger("tessera.serving")
CHECKED_SECONDS = 2.0
"""How long a result counts, so that probes are cheap."""
DOCUMENT = "readiness"


class Readiness:
    """The readiness of one worker.

    Args:
        tessera: The service.
    """

    def __init__(self, tessera: Tessera) -> None:
        self._tessera = tessera
        self._fault: str | None = None
        self._checked_until = 0.0

    def find_fault(self) -> str | None:
        """Return the part that fails and why, or None if the worker can answer."""
        missing = self._tessera.why_not_ready()
        if missing is not None:
            return missing
        now = time.monotonic()
        if now >= self._checked_until:
            fault = self._check()
            if fault is not None and fault != self._fault:
                logger.error("not ready: %s", fault)
            self._fault = fault
            self._checked_until = now + CHECKED_SECONDS
        return self._fault

    def _check(self) -> str | None:
        tessera = self._tessera
        try:
            token = secrets.token_hex(8)
            if tessera.state.store.change_value(DOCUMENT, lambda _: token) != token:
                return "store: it does not return what was written"
            tessera.state.store.value(DOCUMENT)
        except StoreUnavailableError as error:
            tessera.state.report(error)
            return f"store: {error.message}"
        try:
            tessera.smoke_test.run(tessera.champion, tessera.clock())
        except SmokeTestError as error:
            logger.error("bundle %s: %s", tessera.champion.bundle_version, error)
            return f"bundle {tessera.champion.bundle_version}: smoke test, {error.step}; the log says why"
        stranger = RecommendationRequest()
        person = choose_known_person(tessera.champion) or stranger
        for name, request in (("a user", person), ("a stranger", stranger)):
            try:
                self._answer_canary(request)
            except Exception as error:  # whatever fails for the canary fails for people
                logger.exception("the canary request for %s failed", name)
                return f"canary request for {name}: {type(error).__name__}; the log says why"
        return None

    def _answer_canary(self, request: RecommendationRequest) -> None:
        """Answer a request as one of a person is answered, without logging or learning from it."""
        context = build_context(self._tessera, request)
        diversity = context.diversity.model_copy(update={"exploration_share": 0.0})
        canary = replace(context, is_dry_run=True, diversity=diversity)
        if not np.isfinite(recommend_dry(self._tessera.recommendation_engine, canary)).all():
            raise BundleError("a score is not finite")
