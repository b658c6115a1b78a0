import numpy as np
import pytest

from ml.experiments.rankers.interleaving import interleave_team_draft, measure_preference


def test_each_team_drafts_its_best_remaining_item():
    drafted = interleave_team_draft("abcd", "bdac", 4, np.random.default_rng(0))
    assert sorted(drafted.items) == ["a", "b", "c", "d"]
    first, second = drafted.items[:2]
    assert (first, second) == (("a", "b") if drafted.teams[0] == 0 else ("b", "a"))
    assert sum(drafted.teams[:2]) == sum(drafted.teams[2:]) == 1


def test_a_used_up_ranking_leaves_the_rest_to_the_other():
    drafted = interleave_team_draft("a", "abc", 5, np.random.default_rng(1))
    assert set(drafted.items) == {"a", "b", "c"}
    assert interleave_team_draft("", "", 3, np.random.default_rng(1)).items == ()


def test_a_coin_decides_who_begins():
    rng = np.random.default_rng(2)
    starts = [interleave_team_draft("ab", "cd", 2, rng).teams[0] for _ in range(4000)]
    assert np.mean(starts) == pytest.approx(0.5, abs=0.03)


def test_users_count_alike_however_many_lists_they_saw():
    # User 1: two lists for A; user 2: one for B; user 3: a tie. Preferences -1, 1, 0.
    users = np.array([1, 1, 2, 3])
    preference = measure_preference(users, np.array([2.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert (preference.value, preference.wins_a, preference.wins_b, preference.ties) == (0.0, 1, 1, 1)
    # Student's t with two degrees of freedom times 1 / √3.
    assert preference.high == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert preference.sign_p == 1.0


def click(drafted, appeal, rng):
    """Clicks of one list under a position-based user: (team A, team B)."""
    clicks = [0.0, 0.0]
    for place, (item, team) in enumerate(zip(drafted.items, drafted.teams, strict=True)):
        if rng.random() < appeal[item] / (1 + place):
            clicks[team] += 1
    return clicks


def test_the_better_ranker_wins_and_equal_ones_do_not():
    rng = np.random.default_rng(3)
    appeal = {item: 0.05 + 0.4 * (item < 5) for item in range(30)}
    better, worse = list(range(30)), [*range(25, 30), *range(25)]
    for ranking_b, wins in ((better, True), (worse, False)):
        lists = [click(interleave_team_draft(worse, ranking_b, 10, rng), appeal, rng) for _ in range(1500)]
        preference = measure_preference(np.arange(1500), *np.array(lists).T)
        assert (preference.low > 0) == wins
        assert (preference.sign_p < 0.01) == wins


def test_the_interval_of_equal_rankers_holds_zero_in_95_of_100():
    rng = np.random.default_rng(4)
    appeal = {item: 0.3 for item in range(12)}
    covered = 0
    for _ in range(300):
        lists = [
            click(interleave_team_draft(range(12), range(11, -1, -1), 5, rng), appeal, rng) for _ in range(60)
        ]
        preference = measure_preference(np.arange(60), *np.array(lists).T)
        covered += preference.low <= 0 <= preference.high
    assert 0.91 <= covered / 300 <= 0.99
