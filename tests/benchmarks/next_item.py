"""What comes next: the last film of each person, and the next click inside a visit to a news site.

Films (ml-100k): each person's last film is ranked among all that they have not rated, by a model of everything
before it. Of 44% of the people the last two share a timestamp, so that the order of ties decides which film is
last. Pairs of one time follow in the order of their ids, and here the ids are named in three ways: as they are,
reversed and shuffled. The parameters were chosen on the film before the last with shuffled ties. The rival is a
table of ordered co-visits with decay: the plain counts, and counts divided by a power that was chosen as the
parameters were.

News (Globo): models are fitted on the clicks before 2017-10-16 12:00 UTC and stand still. The clicks of the next
hour that follow another one in their visit are ranked. The rivals learn from each click before they rank the
next one.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from figure import Figure
from scipy import sparse

from ml.arrays import F32, F64, I32
from ml.dataset.interactions import Interactions
from ml.evaluation.bootstrap import paired_difference
from ml.recommenders.base import Recommender
from ml.recommenders.models.zoo import make_recommender

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
K = 10
ORDERS = ("as they are", "reversed", "shuffled")
MOST_ID = 2_000
SASREC = {"n_factors": 128, "length": 30, "dropout": 0.4, "batch": 64, "negatives": 500, "patience": 2}
BLEND = {"sasrec": 0.7, "session_neighbours": 0.3}
CUT_MS = 1_508_155_200_000  # 2017-10-16 12:00 UTC
HOUR_MS = 3_600_000
TRAINED_CLICKS, JUDGED_CLICKS = 120_000, 10_000
NEWS_NETWORK = {"n_factors": 64, "length": 10, "epochs": 10, "patience": 2, "batch": 128, "negatives": 500}

Scores = Callable[[I32], F32]


def measure(size: float) -> Iterator[Figure]:
    """Films in all three orders at size 1, in the shuffled one alone below; news on a share of the clicks."""
    for order in ORDERS if size >= 1 else ORDERS[-1:]:
        yield from films(order)
    yield from news(size)


def films(order: str) -> Iterator[Figure]:
    """HR@10 and NDCG@10 of the last film under one order of ties."""
    train, last = last_films(order)
    pairs = Interactions.from_table(train)
    users, last_rows = pairs.users.rows(last["user_id"]), pairs.items.rows(last["item_id"])
    rivals = {
        "co-visits": co_visits(pairs, fade=0.8, power=0.0),
        "co-visits, divided": co_visits(pairs, fade=0.7, power=0.7),
    }
    judged = {name: hits(scores, pairs, users, last_rows) for name, scores in rivals.items()}
    seconds = dict.fromkeys(judged, float("nan"))
    models: dict[str, dict[str, Any]] = {"popularity": {}, "ease": {"window": 10}, "session_neighbours": {}}
    if find_spec("torch") is not None:
        parts = [
            {"model": name, "weight": weight, "params": SASREC if name == "sasrec" else {}}
            for name, weight in BLEND.items()
        ]
        models |= {"sasrec": SASREC, "gru4rec": SASREC, "blend": {"models": parts}}
    fitted: dict[str, Recommender] = {}
    for name, params in models.items():
        start = time.process_time()
        if name == "blend":  # its parts are fitted already
            fitted[name] = make_recommender(name, **params)
            fitted[name].set_parts({str(place): fitted[part] for place, part in enumerate(BLEND)})
        else:
            fitted[name] = make_recommender(name, **params).fit(pairs)
        seconds[name] = time.process_time() - start
        judged[name] = hits(fitted[name].score, pairs, users, last_rows)
    for name, (hit, gain) in judged.items():
        what = f"last film, ids {order}: {name}"
        yield Figure(f"{what}, HR@10", hit.mean(), "share", rows=len(users), seconds=seconds[name])
        for rival in rivals:
            if name not in rivals:
                yield against(f"{what}, NDCG@10", gain, rival, judged[rival][1])
        if name in rivals:
            yield Figure(f"{what}, NDCG@10", gain.mean(), "gain", rows=len(users))


def against(name: str, values: F64, rival: str, others: F64) -> Figure:
    """A figure beside its rival's; the unit tells the paired 95% interval of the difference."""
    gain = paired_difference(values, others)
    unit = f"gain; difference {gain.low:+.4f} to {gain.high:+.4f}"
    ratio = float(values.mean() / others.mean())
    return Figure(name, values.mean(), unit, rival, others.mean(), ratio, rows=len(values))


def last_films(order: str) -> tuple[pa.Table, pa.Table]:
    """All ratings but each person's last, and the last ones; the ids of the films stand for the order of ties."""
    columns = ["user_id", "film", "rating", "timestamp"]
    ratings = pd.read_csv(DATA / "ml-100k/u.data", sep="\t", names=columns)
    names = np.arange(MOST_ID)
    if order == "reversed":
        names = names[::-1]
    if order == "shuffled":
        names = np.random.default_rng(0).permutation(MOST_ID)
    ratings["item_id"] = [f"{names[film]:04d}" for film in ratings["film"]]
    ratings["user_id"] = ratings["user_id"].astype(str)
    ratings = ratings.sort_values(["user_id", "timestamp", "item_id"])[["user_id", "item_id", "timestamp"]]
    is_last = ~ratings.duplicated("user_id", keep="last")
    tables = [pa.Table.from_pandas(part, preserve_index=False) for part in (ratings[~is_last], ratings[is_last])]
    return tables[0], tables[1]


def co_visits(pairs: Interactions, fade: float, power: float, window: int = 10) -> Scores:
    """How often items followed each other within a window, weighed by the latest items of a person."""
    rows, columns, _ = pairs.in_order()
    n = len(pairs.items)
    counts = sparse.csr_matrix((n, n))
    for step in range(1, window + 1):
        same = rows[step:] == rows[:-step]
        weights = np.full(int(same.sum()), fade ** (step - 1))
        counts = counts + sparse.csr_matrix((weights, (columns[:-step][same], columns[step:][same])), (n, n))
    sums = np.maximum(np.asarray(counts.sum(axis=1))[:, 0], 1)
    table = (sparse.diags(sums**-power) @ counts).tocsr()
    bounds = np.searchsorted(rows, np.arange(len(pairs.users) + 1))

    def score(users: I32) -> F32:
        latest = sparse.lil_matrix((len(users), n))
        for row, user in enumerate(users):
            items = columns[bounds[user] : bounds[user + 1]][-window:]
            latest[row, items] = fade ** np.arange(len(items))[::-1]
        return np.asarray((latest.tocsr() @ table).todense(), dtype=np.float32)

    return score


def hits(score: Scores, pairs: Interactions, users: I32, items: I32) -> tuple[F64, F64]:
    """Whether each person's item is among the first ten, and its gain; equal scores rank by the row."""
    scores = score(users).astype(np.float64)
    scores[pairs.matrix[users].nonzero()] = -np.inf
    places = np.full(len(users), K)
    for row in np.flatnonzero(items >= 0):
        mine = scores[row, items[row]]
        places[row] = (scores[row] > mine).sum() + (scores[row, : items[row]] == mine).sum()
    is_hit = places < K
    return is_hit.astype(np.float64), np.where(is_hit, 1 / np.log2(places + 2), 0)


def news(size: float) -> Iterator[Figure]:
    """HR@5 and MRR@10 of the next click inside a visit."""
    before, after = clicks(int(TRAINED_CLICKS * size), int(JUDGED_CLICKS * size))
    table = pa.table(
        {
            "user_id": before["session_id"],  # a visit is a person here, as the log names visits itself
            "item_id": before["article"],
            "timestamp": pc.divide(before["click_timestamp"], 1_000),
        }
    )
    pairs = Interactions.from_table(table)
    models = ["session_neighbours", "gru4rec", "sasrec"] if find_spec("torch") else ["session_neighbours"]
    places: dict[str, list[int]] = defaultdict(list)
    fitted, seconds = {}, {}
    for name in models:
        start = time.process_time()
        params = {} if name == "session_neighbours" else NEWS_NETWORK
        fitted[name] = make_recommender(name, **params).fit(pairs)
        seconds[name] = time.process_time() - start
    live = LiveRivals()
    milliseconds: dict[str, list[float]] = defaultdict(list)
    for click in before.to_pylist():
        live.learn(click["session_id"], click["article"], click["click_timestamp"])
    for click in after.to_pylist():
        visit, article, now = click["session_id"], click["article"], click["click_timestamp"]
        taken = live.visits.get(visit, [])
        if taken:
            lists = live.lists(visit, now)
            for name, model in fitted.items():
                history = model.history(taken[-10:])
                start = time.perf_counter()
                scores = model.score_histories(history)[0]
                milliseconds[name].append((time.perf_counter() - start) * 1_000)
                scores[model.item_ids_.rows(taken)[model.item_ids_.rows(taken) >= 0]] = -np.inf
                lists[name] = [model.item_ids_.values[int(row)].as_py() for row in best_of(scores)]
            for name, items in lists.items():
                places[name].append(items.index(article) + 1 if article in items else 0)
        live.learn(visit, article, now)
    for name, ranks in places.items():
        place = np.array(ranks)
        hit, rank = (place > 0) & (place <= 5), np.where(place > 0, 1 / np.maximum(place, 1), 0)
        rival = np.array(places["V-SKNN, live"])
        theirs = np.where(rival > 0, 1 / np.maximum(rival, 1), 0)
        what = f"next click: {name}"
        yield Figure(f"{what}, HR@5", hit.mean(), "share", rows=len(place), seconds=seconds.get(name))
        yield against(f"{what}, MRR@10", rank, "V-SKNN, live", theirs)
        if name in milliseconds:
            yield Figure(f"{what}, fold-in of a click", float(np.median(milliseconds[name])), "ms")


def best_of(scores: F32) -> list[int]:
    """Rows of the ten highest scores, best first."""
    return [int(row) for row in np.argsort(-scores, kind="stable")[:K]]


def clicks(n_before: int, n_after: int) -> tuple[pa.Table, pa.Table]:
    """The last clicks before the cut, and the first ones of the hour after it, oldest first."""
    columns = ["session_id", "click_article_id", "click_timestamp"]
    table = pq.read_table(DATA / "globo/clicks.parquet", columns=columns)
    times = table["click_timestamp"]
    window = pc.and_(pc.less(times, CUT_MS + HOUR_MS), pc.greater(times, CUT_MS - 24 * HOUR_MS))
    table = table.filter(window).sort_by([("click_timestamp", "ascending"), ("session_id", "ascending")])
    named = pa.table(
        {
            "session_id": pc.cast(table["session_id"], pa.string()),
            "article": pc.cast(table["click_article_id"], pa.string()),
            "click_timestamp": table["click_timestamp"],
        }
    )
    is_before = pc.less(named["click_timestamp"], CUT_MS)
    before, after = named.filter(is_before), named.filter(pc.invert(is_before))
    return before.slice(max(0, len(before) - n_before)), after.slice(0, n_after)


class LiveRivals:
    """The last hour's clicks, what followed an article in a visit, and V-SKNN over the newest visits.

    Attributes:
        visits: articles of each visit, in order.
    """

    def __init__(self, neighbours: int = 200, newest: int = 1_000) -> None:
        self.visits: dict[str, list[str]] = {}
        self._neighbours = neighbours
        self._hour: deque[tuple[int, str]] = deque()
        self._popular: Counter[str] = Counter()
        self._follows: dict[str, Counter[str]] = defaultdict(Counter)
        self._holding: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=newest))
        self._last_ms: dict[str, int] = {}

    def learn(self, visit: str, article: str, now_ms: int) -> None:
        """Take a click into all counts."""
        taken = self.visits.setdefault(visit, [])
        if taken and taken[-1] != article:
            self._follows[taken[-1]][article] += 1
        if article not in taken:
            self._holding[article].append(visit)
        taken.append(article)
        self._last_ms[visit] = now_ms
        self._hour.append((now_ms, article))
        self._popular[article] += 1

    def lists(self, visit: str, now_ms: int) -> dict[str, list[str]]:
        """Ten articles by each rival for a visit, without those that it had."""
        while self._hour and self._hour[0][0] < now_ms - HOUR_MS:
            self._popular[self._hour.popleft()[1]] -= 1
        taken = self.visits[visit]
        popular = [article for article, _ in self._popular.most_common(60)]
        follows = [article for article, _ in self._follows[taken[-1]].most_common(60)]
        votes = [article for article, _ in self._votes(visit, taken, now_ms).most_common(60)]
        orders = {
            "last hour, live": popular,
            "co-visits, live": follows + popular,
            "V-SKNN, live": votes + popular,
        }
        return {
            name: [article for article in dict.fromkeys(order) if article not in taken][:K]
            for name, order in orders.items()
        }

    def _votes(self, visit: str, taken: list[str], now_ms: int) -> Counter[str]:
        weight = {article: (place + 1) / len(taken) for place, article in enumerate(taken)}
        alike: defaultdict[str, float] = defaultdict(float)
        for article, late in weight.items():
            for other in self._holding[article]:
                if other != visit:
                    alike[other] += late
        nearest = sorted(alike.items(), key=lambda pair: (-pair[1], -self._last_ms[pair[0]]))[: self._neighbours]
        votes: defaultdict[str, float] = defaultdict(float)
        for other, likeness in nearest:
            items = self.visits[other]
            last = max(place for place, article in enumerate(items) if article in weight)
            age = np.exp((self._last_ms[other] - now_ms) / (6 * HOUR_MS))
            voice = likeness * weight[items[last]] * age
            for place, article in enumerate(items):
                if place != last:
                    votes[article] += voice / abs(place - last)
        return Counter(votes)
