from serving.time_budget import TimeBudget


def test_what_is_not_spent_is_saved_up_to_a_bound():
    now = [0.0]
    budget = TimeBudget(0.25, 2.0, lambda: now[0])
    budget.spend(3.0)
    assert not budget.has_some()
    now[0] = 4.0
    assert not budget.has_some()  # exactly nothing
    now[0] = 5.0
    assert budget.has_some()
    budget.spend(0.25)
    assert not budget.has_some()
    now[0] = 1_000.0
    assert budget.has_some()
    budget.spend(2.0)
    assert not budget.has_some()
