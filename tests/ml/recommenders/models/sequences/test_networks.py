"""Sequence networks: NumPy answers as torch does, the order is learned, and a stopped training goes on."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

from ml.dataset.feature_matrix import FeatureMatrix  # noqa: E402
from ml.dataset.interactions import Interactions  # noqa: E402
from ml.recommenders.models.sequences.forward import attention_state, recurrent_state  # noqa: E402
from ml.recommenders.models.sequences.gru4rec import Gru4Rec  # noqa: E402
from ml.recommenders.models.sequences.sasrec import Sasrec  # noqa: E402
from ml.recommenders.models.sequences.torch_networks import AttentionNetwork, RecurrentNetwork  # noqa: E402

SMALL = {"n_factors": 8, "epochs": 8, "batch": 16, "learning_rate": 0.01, "dropout": 0.1, "length": 6}
KINDS = [Sasrec, Gru4Rec]
CHAIN = list("abcdefgh")


def chains(n_users=120, gap=60, seed=0):
    """Everybody begins somewhere and goes once along the ring of eight items, five steps."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        start = int(random.integers(0, len(CHAIN)))
        begun = int(random.integers(0, 10_000_000))
        rows += [(f"u{user}", CHAIN[(start + place) % len(CHAIN)], begun + gap * place) for place in range(5)]
    users, items, times = zip(*rows, strict=True)
    return pa.table({"user_id": users, "item_id": items, "timestamp": times})


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(kind):
    return kind(**{**SMALL, "epochs": 40}).fit(Interactions.from_table(chains()))


def best_after(model, items):
    scores = model.score_histories(model.history(items))[0]
    scores[model.item_ids_.rows(items)] = -np.inf
    return model.item_ids_.to_list()[int(scores.argmax())]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    ("network", "forward"), [(AttentionNetwork, attention_state), (RecurrentNetwork, recurrent_state)]
)
@pytest.mark.parametrize("n", [0, 1, 7])
def test_numpy_gives_the_output_of_torch(network, forward, layers, n):
    torch.manual_seed(layers)
    made = network(
        layers, 2, 9, 0.4, items=torch.randn(5, 8), features=None, is_trained=torch.ones(5, dtype=bool), n_gaps=3
    )
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    made.eval()
    items, gaps = torch.randint(0, 5, (1, n)), torch.randint(0, 3, (1, n))
    with torch.no_grad():
        strengths = torch.randn(1, n)
        tokens = made.tokens(made.vectors(), items, gaps, strengths)
        expected = made(tokens, strengths)[0, -1].numpy()
    weights = {name: value.detach().numpy() for name, value in made.named_parameters()}
    begun = np.append(np.float32(0), strengths[0].numpy())
    inputs = (tokens[0].numpy(), begun, layers, 2) if forward is attention_state else (tokens[0].numpy(), layers)
    np.testing.assert_allclose(forward(weights, *inputs), expected, rtol=1e-4, atol=1e-5)


def test_what_follows_is_learned_and_depends_on_the_order(fitted):
    assert [best_after(fitted, pair) for pair in (["a", "b"], ["d", "e"], ["g", "h"])] == ["c", "f", "a"]
    b, c = fitted.item_ids_.rows(["b", "c"])
    forth, back = (fitted.score_histories(fitted.history(items))[0] for items in (["a", "b"], ["b", "a"]))
    assert forth[c] - forth[b] > back[c] - back[b] + 1


def test_a_person_of_the_training_has_the_vector_that_a_fold_in_gives(kind):
    """Without times there are no gaps, which are all that a fold-in does not have."""
    pairs = Interactions.from_table(chains().drop_columns(["timestamp"]))
    model = kind(**SMALL).fit(pairs)
    folded = model.fold_in_histories(model.confidences(pairs.liked_weights))
    np.testing.assert_allclose(model.user_factors_, folded, rtol=1e-4, atol=1e-5)


def test_a_model_answers_where_torch_cannot_be_imported(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from ml.recommenders.models.zoo import load_recommender\n"
        f"model = load_recommender(Path({str(tmp_path / 'model')!r}))\n"
        "rows = model.recommend(['u0', 'u7', 'stranger'], 4).to_table()\n"
        "scores = model.score_histories(model.history(['b', 'c', 'd']))[0]\n"
        "print(rows['item_id'].to_pylist(), scores.argsort()[::-1].tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lists = fitted.recommend(["u0", "u7", "stranger"], 4).to_table()["item_id"].to_pylist()
    scores = fitted.score_histories(fitted.history(["b", "c", "d"]))[0]
    assert done.stdout.strip() == f"{lists} {scores.argsort()[::-1].tolist()}"


def test_without_torch_a_training_says_what_to_install(kind):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import pyarrow as pa\n"
        "from ml.dataset.interactions import Interactions\n"
        "from ml.errors import MissingExtraError\n"
        f"from {kind.__module__} import {kind.__name__}\n"
        "try:\n"
        f"    {kind.__name__}().fit(Interactions.from_table(pa.table({{'user_id': ['u'], 'item_id': ['a']}})))\n"
        "except MissingExtraError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{kind.__name__.lower()} needs PyTorch: pip install 'tessera[torch]'"


@pytest.mark.parametrize("stopped_after", [3, 9])
def test_a_stopped_training_goes_on_and_ends_as_if_it_had_not_been_stopped(kind, tmp_path, stopped_after):
    pairs = Interactions.from_table(chains())
    whole = kind(**SMALL)
    lines = []
    whole.progress = lines.append
    whole.fit(pairs)

    class StoppedError(Exception):
        pass

    def stop(line, seen=[]):  # noqa: B006  counts the calls
        seen.append(line)
        if len(seen) > stopped_after:
            raise StoppedError

    broken = kind(**SMALL)
    broken.checkpoints, broken.progress = tmp_path, stop
    with pytest.raises(StoppedError):
        broken.fit(pairs)
    assert len(list(tmp_path.iterdir())) == 1
    later = []
    again = kind(**SMALL)
    again.checkpoints, again.progress = tmp_path, later.append
    again.fit(pairs)
    assert later[0].startswith("the training goes on after pass")
    assert later[1:] == lines[-len(later) + 1 :]
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(again.item_factors_, whole.item_factors_)
    np.testing.assert_array_equal(again.user_factors_, whole.user_factors_)


def test_a_checkpoint_of_other_data_is_not_taken_up(kind, tmp_path):
    def stop(line):
        raise KeyboardInterrupt

    broken = kind(**SMALL)
    broken.checkpoints = tmp_path
    broken.progress = lambda line, seen=[]: seen.append(line) or (stop(line) if len(seen) > 2 else None)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(Interactions.from_table(chains()))
    other = Interactions.from_table(chains(seed=1))
    lines = []
    again = kind(**SMALL)
    again.checkpoints, again.progress = tmp_path, lines.append
    np.testing.assert_array_equal(again.fit(other).item_factors_, kind(**SMALL).fit(other).item_factors_)
    assert lines[0].startswith("pass 1 ")


def test_a_sample_of_the_softmax_leaves_the_odds_as_they_are():
    """What somebody takes first is a draw of known odds; negatives by popularity must not flatten them."""
    random = np.random.default_rng(0)
    odds = 1 / np.arange(1, 13) ** 1.2
    odds /= odds.sum()
    n = 1_500
    items = random.choice(12, n, p=odds)
    table = pa.table({"user_id": [f"u{user}" for user in range(n)], "item_id": [f"i{item:02d}" for item in items]})
    model = Sasrec(n_factors=8, epochs=15, learning_rate=0.02, dropout=0.0, length=4, negatives=11, layers=1)
    scores = model.fit(Interactions.from_table(table)).score_unknown().astype(float)
    shares = np.exp(scores - scores.max())
    taken = np.bincount(items, minlength=12) / n
    np.testing.assert_allclose(shares / shares.sum(), taken, atol=0.05)


def test_an_item_that_nobody_took_is_ranked_by_its_features(kind):
    table = chains()
    owned = [[f"at:{place % 4}"] for place in range(8)]
    features = pa.table({"item_id": [*CHAIN, "new", "bare"], "features": [*owned, ["at:2"], []]})
    model = kind(**{**SMALL, "epochs": 30}).fit(
        Interactions.from_table(table), None, FeatureMatrix.from_table(features, "item_id")
    )
    scores = dict(zip(model.item_ids_.to_list(), model.score_histories(model.history(["a", "b"]))[0], strict=True))
    other = dict(zip(model.item_ids_.to_list(), model.score_histories(model.history(["c", "d"]))[0], strict=True))
    assert scores["bare"] == min(scores.values())
    assert scores["new"] - np.mean(list(scores.values())) > other["new"] - np.mean(list(other.values()))
