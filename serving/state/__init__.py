"""What changes between two trainings: the log of recent changes, the profiles, and both reduced in memory."""
