from serving.token_bucket import TokenBucket


def test_what_is_not_taken_is_saved_up_to_a_bound():
    bucket = TokenBucket.full(0.25, 2.0, 0.0)
    bucket.take(3.0)
    assert not bucket.at(0.0) > 0
    assert not bucket.at(4.0) > 0  # exactly nothing
    assert bucket.at(5.0) > 0
    bucket.take(0.25)
    assert not bucket.at(5.0) > 0
    assert bucket.at(1_000.0) > 0
    bucket.take(2.0)
    assert not bucket.at(1_000.0) > 0
