"""The page about a fitted model: what it says of a choice, a named model, and people; offline and escaped."""

import html
import re

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.auto import choose
from ml.recommenders.selection.model_report import ReportSource, write_model_report
from ml.recommenders.training_data import TrainingData


@pytest.fixture(scope="module")
def world(two_tastes, user_features, item_features):
    return TrainingData.align(two_tastes, user_features, item_features)


@pytest.fixture(scope="module")
def chosen(world):
    return choose(world, "random", work=2.0)


def page_of(folder, recommender, data, source):
    file = write_model_report(folder, recommender, data, source)
    assert file == folder / "report.html"
    return file.read_text(encoding="utf-8")


def test_the_page_tells_of_the_choice_with_intervals_and_reason(tmp_path, world, chosen):
    page = page_of(tmp_path, chosen.recommender, world, ReportSource(["reading user_id as user"], {}, chosen))
    text = html.unescape(page)
    assert f"judged by {chosen.n_judges} people" in text
    assert chosen.reason in text
    assert "reading user_id as user" in text
    best = chosen.trials[0].interval
    assert f"{best.mean:.4f}" in page
    assert f"{best.low:.4f} to {best.high:.4f}" in page
    for model in {trial.configuration.model for trial in chosen.trials}:
        assert f"<td>{model}" in page
    assert "<b>60</b><small>people</small>" in page


def test_the_page_needs_no_network_and_no_script(tmp_path, world, chosen):
    page = page_of(tmp_path, chosen.recommender, world, ReportSource(choice=chosen))
    assert not re.search(r'https?://|<script|<link(?! rel="icon" href="data:,">)|@import|url\(', page)


def test_lists_show_names_and_text_of_strangers_stays_text(tmp_path, two_tastes):
    data = TrainingData.align(two_tastes)
    model = make_recommender("ease").fit_aligned(data)
    names = {f"i{item}": f"<b>film {item}</b> & co" for item in range(40)}
    page = page_of(tmp_path, model, data, ReportSource((), names, None))
    assert "<b>film" not in page
    assert "&lt;b&gt;film" in page
    assert "The model was named, not chosen." in page
    people = re.findall(r'<div class="sheet"><b>(u\d+)</b> <small>(\d+) items</small>', page)
    lengths = dict(zip(two_tastes.users.to_list(), np.diff(two_tastes.matrix.indptr), strict=True))
    assert len(people) == 4
    assert all(int(n) == lengths[user] for user, n in people)


def test_what_is_missing_is_the_advice(tmp_path):
    rows = [(f"u{user}", f"i{(user + step) % 7}") for user in range(9) for step in range(3)]
    users, items = zip(*rows, strict=True)
    data = TrainingData.align(Interactions.from_table(pa.table({"user_id": users, "item_id": items})))
    few = choose(data, "random", work=1.0)
    page = html.unescape(page_of(tmp_path, few.recommender, data, ReportSource(choice=few)))
    assert "Only 9 people could be evaluated" in page
    assert "Describe the items" in page
    assert "Add the time of each interaction" in page
    assert "a column weight" in page


def test_the_learning_curve_grows_to_the_whole_past(chosen, world):
    sizes = [point.n_pairs for point in chosen.curve]
    assert sizes == sorted(sizes)
    assert len(sizes) == 3
    assert sizes[-1] < world.interactions.n_pairs
    assert sizes[0] == pytest.approx(sizes[-1] / 4, rel=0.2)
    assert chosen.curve[-1].interval.mean > chosen.curve[0].interval.mean


def test_a_single_judge_gives_no_interval_and_the_chosen_model_is_marked_all_the_same(tmp_path):
    """Popularity is chosen, as one person proves nothing, and other models are as good or better."""
    random = np.random.default_rng(0)
    items = [f"i{item}" for item in random.permutation(60)[:40]]
    weights = [-1.0] * 5 + [1.0] * 35
    table = pa.table({"user_id": ["u"] * 40, "item_id": items, "weight": weights})
    data = TrainingData.align(Interactions.from_table(table))
    lines = []
    lonely = choose(data, "random", work=2.0, log=lines.append)
    judges = "1 person judges by what the split 'random' holds back; fewer than 100 can seldom tell models apart"
    assert lines[0] == judges
    assert "[none]" in lines[1]
    page = page_of(tmp_path, lonely.recommender, data, ReportSource(choice=lonely))
    text = html.unescape(page)
    assert "judged by 1 person whose" in text
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert "<b>5</b><small>of them not liked</small>" in page
    marked = re.findall(r'<tr class="chosen"><td>(\w+)', page)
    assert marked == [lonely.configuration.model]
