"""Answers recommendation requests.

One request passes through four types:

1. `RecommendationRequest` (serving/requests.py): the checked body of `POST /v1/recommendations`.
2. `RequestContext` (context.py): the request with the situation, the person's history and the bundle that ranks.
   `build_context` makes it, and assigns experiments and rules on the way.
3. `ScoredCandidates` (candidates.py): the items that could be shown, with their features and scores.
   `RecommendationEngine.collect_candidates` gathers them; `SearchPool` searches and scores beside the event loop.
4. `Recommendation` (recommendation.py): the chosen items with their reasons.
   `RecommendationEngine.recommend` ranks the candidates, applies the `DisplayPolicy` and asks the `Explainer`.

`answer` and `answer_async` (answers.py) run these steps, log the answer as a `served` event and return its JSON.
"""
