"""What was worked out of a short text is kept, and nothing of a long one."""

from ml.events.normalization.short_text_cache import MAX_CACHED_CHARS, cache_short_texts


def test_a_short_text_is_worked_out_once_and_a_long_one_each_time() -> None:
    seen = []

    @cache_short_texts(10)
    def measure(text: str) -> int:
        seen.append(text)
        return len(text)

    for length in (MAX_CACHED_CHARS, MAX_CACHED_CHARS + 1):
        assert [measure("x" * length) for _ in range(3)] == [length] * 3
    assert [len(text) for text in seen] == [MAX_CACHED_CHARS, *[MAX_CACHED_CHARS + 1] * 3]
