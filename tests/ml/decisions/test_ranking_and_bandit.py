"""The bandit, the online correction, and the blend learned from a log."""

import numpy as np
import pytest

from ml.decisions.activity.state_change import StateChange
from ml.decisions.items.factor_index import FactorIndex
from ml.decisions.ranker.blend import OnlineLearner, RankingBlend
from ml.decisions.ranker.features import NAMES
from ml.decisions.ranker.training import hit_rate, train_blend
from ml.decisions.rules.bandit import CONTEXT, ThompsonSampling, encode_context
from ml.events.quarantine import Quarantine
from ml.home import Home
from ml.settings import load_settings


def test_the_bandit_finds_the_better_variant_and_keeps_a_chance_for_the_other():
    settings = load_settings().decisions.bandit
    bandit, generator = ThompsonSampling(settings), np.random.default_rng(5)
    context = encode_context(is_known=True, device_type="mobile", daypart="morning", is_weekend=False)
    assert context.tolist() == [
        1.0 if n in {"constant", "is_known", "mobile", "morning"} else 0.0 for n in CONTEXT
    ]
    for _ in range(300):
        bandit.learn("hero", "good", context, 1.0)
        bandit.learn("hero", "bad", context, 0.0)
    chances = bandit.propensities("hero", ["good", "bad"], context, generator)
    assert chances == pytest.approx([1 - settings.minimum_propensity, settings.minimum_propensity])
    again = ThompsonSampling(settings)
    again.restore(bandit.snapshot())
    assert again.propensities("hero", ["good", "bad"], context, generator) == pytest.approx(chances)


def test_the_online_correction_is_bounded_and_can_be_taken_back():
    learner = OnlineLearner(rate=0.1, bound=0.3, decay=0.0)
    inputs = np.zeros((2, len(learner.correction.weights)))
    inputs[0, 0] = 1.0
    base = np.zeros(2)
    before = learner.snapshot(["a", "b"])
    for _ in range(200):
        learner.learn(base, inputs, [0, 1], chosen=0)
    assert learner.correction.weights[0] == 0.3
    assert learner.correction.biases[0] == 0.3
    assert learner.scores(base, inputs, [0, 1]) == pytest.approx([0.6, -0.3])
    learner.restore(before, {"a": 0, "b": 1})
    assert learner.scores(base, inputs, [0, 1]) == pytest.approx([0.0, 0.0])


def log_of_pairs(people, seed, kind="page_view"):
    """Everybody opens one of ten even items and then the odd one after it."""
    generator = np.random.default_rng(seed)
    changes = []
    for person in range(people):
        first = 2 * int(generator.integers(10))
        at = 1_800_000_000.0 + 60 * person
        changes.append(StateChange(f"u{person}", kind, at, f"i{first}", f"s{person}"))
        changes.append(StateChange(f"u{person}", kind, at + 20, f"i{first + 1}", f"s{person}"))
    return changes


@pytest.mark.parametrize("kind", ["page_view", "purchase"])
def test_the_blend_learns_from_the_log_what_is_opened_next(tmp_path, kind):
    trained = train_blend(
        log_of_pairs(3_000, 1, kind),
        None,
        questions=2_000,
        minimum_questions=100,
        seed=1,
        quarantine=Quarantine(Home(tmp_path)),
    )
    blend = trained.blend
    assert blend.figures["learned"] is True
    assert blend.figures["hit_rate_at_5"] == 1.0
    assert "[num_threads: 1]" in blend.ranker.model_to_string()  # more would spin while they wait
    blend.save(tmp_path / "blend")
    again = RankingBlend.load(tmp_path / "blend")
    rows = np.random.default_rng(0).normal(size=(5, len(NAMES))).astype(np.float32)
    assert again.base_scores(rows) == pytest.approx(blend.base_scores(rows))


def test_a_short_log_keeps_the_prior_weights(tmp_path):
    quarantine = Quarantine(Home(tmp_path))
    trained = train_blend(
        log_of_pairs(20, 1), None, questions=100, minimum_questions=500, seed=1, quarantine=quarantine
    )
    assert trained.blend.ranker is None
    assert trained.blend.figures["learned"] is False


def test_hit_rate_counts_questions_whose_item_is_among_the_best():
    scores = np.array([3.0, 2.0, 1.0, 1.0, 5.0])
    opened = np.array([False, True, False, True, False])
    assert hit_rate(scores, opened, np.array([3, 2]), 1) == 0.0
    assert hit_rate(scores, opened, np.array([3, 2]), 2) == 1.0


def test_hit_rate_lets_chance_order_what_ties():
    tied = np.array([2.0, 1.0, 1.0, 1.0, 0.0])
    opened = np.array([False, False, True, False, False])
    chances = [hit_rate(tied, opened, np.array([5]), k) for k in (1, 2, 3, 4)]
    assert chances == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=1e-4)  # one is better, two tie with it


def test_the_graph_finds_what_the_exact_search_finds(tmp_path):
    factors = np.random.default_rng(2).normal(size=(2_000, 16)).astype(np.float32)
    factors[7] = np.nan
    exact, graph = FactorIndex(factors, 10_000), FactorIndex(factors, 100)
    vectors = np.random.default_rng(3).normal(size=(20, 16)).astype(np.float32)
    recalled = [len(set(exact.by_product(v, 10)) & set(graph.by_product(v, 10))) for v in vectors]
    assert np.mean(recalled) >= 9.7
    graph.save(tmp_path / "graph")
    read = FactorIndex(factors, 100, tmp_path / "graph")
    assert [read.by_product(v, 10).tolist() for v in vectors] == [
        graph.by_product(v, 10).tolist() for v in vectors
    ]
    with pytest.raises(ValueError, match="not a graph of these 1000 items"):
        FactorIndex(factors[1_000:], 100, tmp_path / "graph")
    assert 7 not in exact.by_product(vectors[0], 2_000)
    assert len(set(exact.by_cosine(3, 5).tolist()) & set(read.by_cosine(3, 5).tolist())) >= 4


def test_the_graph_finds_alike_items_whatever_their_lengths():
    random = np.random.default_rng(4)
    factors = random.normal(size=(2_000, 16)) * random.lognormal(0, 0.5, (2_000, 1))
    exact, graph = FactorIndex(factors.astype(np.float32), 10_000), FactorIndex(factors.astype(np.float32), 100)
    alike = [len(set(exact.by_cosine(row, 10)) & set(graph.by_cosine(row, 10))) for row in range(20)]
    assert np.mean(alike) >= 9.5
