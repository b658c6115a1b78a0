"""What a running visit says of its end: whether it converts, ends at this page, and is followed by another."""
