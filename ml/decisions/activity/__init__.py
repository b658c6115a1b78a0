"""Recent activity of visitors and items, folded from events."""
