import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml.experiments.definition.assignment import assign_units
from ml.experiments.definition.definitions_file import load_experiments
from ml.experiments.definition.planted_experiments import write_planted_experiments
from ml.sources.simulator import Site
from ml.sources.simulator.population import Population
from ml.sources.simulator.taste import changes_taste, daily_interest_cdf

START = dt.date(2026, 3, 1)
COLUMNS = [
    "event_id",
    "event_type",
    "session_id",
    "user_id",
    "item_id",
    "properties",
    "occurred_at",
    "experiment_id",
    "variant",
]


def frame_of(site, first, last):
    table = pa.concat_tables([part.select(COLUMNS) for part in site.events(first, last)])
    frame = table.to_pandas()
    return frame[frame["event_id"].notna()].drop_duplicates("event_id")


@pytest.fixture(scope="module")
def buying_site(settings):
    """A site where carts are common, every cart is checked out, and a new checkout doubles the purchases."""
    conversion = settings.conversion.model_copy(
        update={"add_to_cart": 0.12, "checkout": 1.0, "purchase": 0.4, "intent_sigma": 0.4}
    )
    planted = settings.planted.model_copy(
        update={"experiment_start": 0.4, "experiment_length": 0.6, "checkout_lift": 1.0}
    )
    changed = {"users": 6000, "days": 20, "conversion": conversion, "planted": planted}
    site = Site(settings.model_copy(update=changed), 5, START)
    return site, frame_of(site, 0, 20)


def test_causal_signals_raise_conversion_by_the_planted_lift(buying_site):
    site, frame = buying_site
    catalogue = site.catalogue(0, 20).to_pandas()
    products = set(catalogue.loc[catalogue["price"].notna(), "item_id"])
    views = frame[(frame["event_type"] == "page_view") & frame["item_id"].isin(products)]
    sessions = pd.DataFrame(index=views["session_id"].unique())
    sessions["pages"] = views.groupby("session_id").size()
    sessions["cart"] = sessions.index.isin(frame.loc[frame["event_type"] == "add_to_cart", "session_id"])
    reviews = (frame["event_type"] == "click") & frame["properties"].str.contains('"reviews"', na=False)
    sessions["reviews"] = sessions.index.isin(frame.loc[reviews, "session_id"])
    hovers = (frame["event_type"] == "hover") & frame["properties"].str.contains('"price"', na=False)
    sessions["price"] = sessions.index.isin(frame.loc[hovers, "session_id"])
    single = sessions[sessions["pages"] == 1]
    rate = single.groupby("reviews")["cart"].mean()
    # reviews are opened at random, whoever it is: the plain ratio is the planted lift
    assert rate[True] / rate[False] == pytest.approx(1.3, abs=0.2)
    # hovering over the price does nothing, yet goes with conversion through the hidden intent
    naive = single.groupby("price")["cart"].mean()
    assert naive[True] / naive[False] > 1.2


def test_a_look_at_the_size_guide_raises_conversion_only_where_delivery_follows(buying_site):
    _, frame = buying_site
    clicks = frame[frame["event_type"] == "click"]
    moments = {
        element: clicks[clicks["properties"].str.contains(f'"{element}"', na=False)]
        .groupby("session_id")["occurred_at"]
        .agg(["min", "max"])
        for element in ("size_guide", "delivery")
    }
    both = moments["size_guide"].join(moments["delivery"], suffixes=("_size", "_delivery"), how="inner")
    in_order = both["min_size"] < both["max_delivery"]
    has_cart = pd.Series(
        both.index.isin(frame.loc[frame["event_type"] == "add_to_cart", "session_id"]), both.index
    )
    rate = has_cart.groupby(in_order).mean()
    assert in_order.sum() > 300
    assert (~in_order).sum() > 300
    assert rate[True] / rate[False] == pytest.approx(2.0, abs=0.6)  # both come at random: the ratio is the lift


def test_tired_sessions_read_their_last_pages_ever_shorter(site, sound, truth):
    tired = truth["visits"].filter(truth["visits"]["is_tired"])["session_id"]
    exits = sound.filter(pc.equal(sound["event_type"], "page_exit")).to_pandas()
    exits = exits[exits["item_id"].notna() & (exits["device_type"] != "bot")].drop_duplicates("event_id")
    exits = exits.sort_values(["session_id", "occurred_at"])
    group = exits.groupby("session_id")
    exits["left"] = group["event_id"].transform("size") - 1 - group.cumcount()
    long = exits[group["event_id"].transform("size") > 3]
    is_tired = long["session_id"].isin(set(tired.to_pylist()))
    dwell = {
        (tires, left): long.loc[(is_tired == tires) & (long["left"] == left), "value"].median()
        for tires in (True, False)
        for left in (0, 1, 2)
    }
    ratio = {left: dwell[True, left] / dwell[False, left] for left in (0, 1, 2)}
    assert ratio[2] == pytest.approx(1.0, abs=0.1)
    assert ratio[1] == pytest.approx(0.5, abs=0.1)
    assert ratio[0] == pytest.approx(0.25, abs=0.08)


def test_the_hidden_traits_are_those_of_the_sessions_and_no_field_tells_them(site, sound, truth):
    visits = truth["visits"].to_pandas()
    assert visits["session_id"].is_unique
    assert set(pc.unique(sound["session_id"]).to_pylist()) <= set(visits["session_id"])
    assert visits["intent"].abs().max() <= 2.0
    assert visits["intent"].mean() == pytest.approx(0.0, abs=0.02)
    assert visits["is_tired"].mean() == pytest.approx(0.35, abs=0.02)
    # the id of a session is the only field that could hold its traits: no digit of it goes with them
    digits = visits["session_id"].map(lambda text: [int(digit, 16) for digit in text])
    for trait in ("intent", "is_tired"):
        correlation = np.corrcoef(np.stack(digits).T, visits[trait].astype(float))[-1, :-1]
        assert np.abs(correlation).max() < 4 / np.sqrt(len(visits))


def test_without_lifts_the_same_sessions_put_less_into_the_cart(settings):
    none = settings.conversion.model_copy(update={"gallery_zoom_lift": 0.0, "review_read_lift": 0.0})
    base = settings.model_copy(update={"users": 2000, "days": 5})
    with_lift, without = (
        frame_of(Site(chosen, 5, START), 0, 5) for chosen in (base, base.model_copy(update={"conversion": none}))
    )
    carts = [set(f.loc[f["event_type"] == "add_to_cart", "session_id"]) for f in (with_lift, without)]
    assert carts[1] < carts[0]
    signalled = with_lift.loc[
        with_lift["event_type"].eq("custom:gallery_zoom")
        | with_lift["properties"].str.contains('"reviews"', na=False),
        "session_id",
    ]
    assert carts[0] - carts[1] <= set(signalled)


def test_the_new_checkout_doubles_purchases_where_it_is_planted_to(buying_site):
    _, frame = buying_site
    exposures = frame[(frame["event_type"] == "exposure") & (frame["experiment_id"] == "new_checkout")]
    variant = exposures.set_index("user_id")["variant"]
    since = exposures.set_index("user_id")["occurred_at"]
    after = frame[frame["user_id"].isin(variant.index)]
    after = after[after["occurred_at"] >= after["user_id"].map(since)]
    bought = after[after["event_type"] == "purchase"]["user_id"].map(variant).value_counts()
    carts = after[after["event_type"] == "add_to_cart"]["user_id"].map(variant).value_counts()
    assert (bought["treatment"] / carts["treatment"]) / (bought["control"] / carts["control"]) == pytest.approx(
        2.0, rel=0.15
    )


def test_every_exposed_user_is_exposed_once_and_half_are_treated(buying_site, sound, truth):
    exposures = sound.filter(pc.equal(sound["event_type"], "exposure")).to_pandas().drop_duplicates("event_id")
    assert not exposures.duplicated(["experiment_id", "user_id"]).any()
    for row in exposures.head(50).itertuples():
        properties = json.loads(row.properties)
        assert properties.pop("segment").endswith(" readers")
        assert properties == {"unit_type": "user", "unit_id": row.user_id}
    _, frame = buying_site
    wide = frame[frame["event_type"] == "exposure"].pivot(
        index="user_id", columns="experiment_id", values="variant"
    )
    for name in ("new_checkout", "newsletter_prompt", "new_font"):
        variants = wide[name].dropna()  # three standard errors of a fair coin are 1.5 / √n
        assert (variants == "treatment").mean() == pytest.approx(0.5, abs=1.5 / np.sqrt(len(variants)))
    both = wide[["new_checkout", "new_font"]].dropna() == "treatment"
    assert both.all(axis=1).mean() == pytest.approx(0.25, abs=1.3 / np.sqrt(len(both)))
    for window in truth["experiments"].to_pandas().itertuples():
        moments = exposures.loc[exposures["experiment_id"] == window.experiment_id, "occurred_at"]
        assert len(moments) > 500
        assert moments.between(window.started_at, window.ended_at).all()


def test_one_experiment_is_still_running_when_the_planned_days_are_over(site):
    ends = {planted.experiment_id: (planted.start_day, planted.end_day) for planted in site.planted}
    assert ends == {"new_checkout": (60, 90), "newsletter_prompt": (60, 90), "new_font": (102, 132)}


def test_variants_are_those_that_the_assignment_of_the_product_gives(site, sound, tmp_path):
    write_planted_experiments(site, tmp_path / "experiments.yaml")
    experiments = load_experiments(tmp_path / "experiments.yaml")
    exposures = sound.filter(pc.equal(sound["event_type"], "exposure"))
    for experiment in experiments.experiments.values():
        rows = exposures.filter(pc.equal(exposures["experiment_id"], experiment.id))
        assigned = assign_units(experiments, experiment.id, rows["user_id"], None, experiment.starts_at)
        assert assigned.variant_column().to_pylist() == rows["variant"].to_pylist()
        assert {*rows["variant"].to_pylist()} == {"control", "treatment"}


def test_subscriptions_follow_the_prompt_of_the_newsletter(settings):
    planted = settings.planted.model_copy(
        update={"experiment_start": 0.0, "experiment_length": 1.0, "newsletter_rate": 0.3, "newsletter_lift": 0.5}
    )
    site = Site(settings.model_copy(update={"users": 6000, "days": 8, "planted": planted}), 5, START)
    frame = frame_of(site, 0, 8)
    exposed = frame[(frame["event_type"] == "exposure") & (frame["experiment_id"] == "newsletter_prompt")]
    variant = exposed.set_index("user_id")["variant"]
    subscribed = variant.index.isin(frame.loc[frame["event_type"] == "subscribe", "user_id"])
    rate = pd.Series(subscribed, index=variant.to_numpy()).groupby(level=0).mean()
    assert rate["control"] == pytest.approx(0.3, abs=0.04)
    assert rate["treatment"] == pytest.approx(0.45, abs=0.04)


def test_the_change_of_taste_moves_topics_and_leaves_categories(site):
    users = site.population(120)
    knobs, seed = site.settings.planted, site.seed
    before = np.diff(daily_interest_cdf(users, knobs, seed, 83, 120), axis=1, prepend=0)
    after = np.diff(daily_interest_cdf(users, knobs, seed, 84, 120), axis=1, prepend=0)
    changed = changes_taste(users, knobs, seed)
    assert changed.mean() == pytest.approx(0.5, abs=0.05)
    categories = before[:, 0::2] + before[:, 1::2]
    assert after[:, 0::2] + after[:, 1::2] == pytest.approx(categories, abs=1e-5)
    assert after[changed][:, 1::2] == pytest.approx(0.8 * categories[changed], abs=1e-5)
    assert after[~changed] == pytest.approx(before[~changed], abs=1e-6)


def test_views_show_the_change_of_taste(site, events, truth):
    changed = truth["users"].filter(truth["users"]["changes_taste"])["user_id"]
    catalogue = site.catalogue(0, 120).to_pandas().set_index("item_id")
    views = events.filter(
        pc.and_(pc.equal(events["event_type"], "page_view"), pc.is_in(events["user_id"], changed.combine_chunks()))
    )
    frame = views.select(["item_id", "occurred_at"]).to_pandas().dropna()
    tag = frame["item_id"].map(catalogue["tags"].str[0])
    second = {"climate", "startups", "cycling", "robotics", "music", "islands", "vegetables", "fitness"}
    first = {"elections", "markets", "football", "software", "cinema", "cities", "baking", "sleep"}
    share = tag.isin(second) / (tag.isin(second) | tag.isin(first)).replace(False, np.nan)
    late = frame["occurred_at"] >= pd.Timestamp("2026-05-24", tz="UTC")
    assert share[late].mean() - share[~late].mean() > 0.1


def test_bots_are_fast_silent_and_marked_in_the_truth(events, truth):
    bots = truth["users"].filter(truth["users"]["is_bot"])
    assert len(bots) == 6  # 0.4% of 1,500
    assert bots["persona"].null_count == 6
    traffic = events.filter(pc.is_in(events["anonymous_id"], bots["user_id"].combine_chunks())).to_pandas()
    assert set(traffic["event_type"].dropna()) <= {"page_view", "page_exit", "pageview", "preference"}
    assert traffic.groupby("session_id").size().median() > 100
    assert set(traffic["device_type"].dropna()) - {"phone"} == {"bot", "desktop"}


def test_populations_can_be_joined_and_taken_apart(site):
    users = site.population(8)
    twice = Population.concat([users, users.take(np.array([3, 1]))])
    assert twice.key[-2:].tolist() == users.key[[3, 1]].tolist()
    assert twice.interest.shape == (len(users) + 2, 24)
