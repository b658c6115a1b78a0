"""What a running service does beside its answers: it looks for what is new, and stores what waits."""
