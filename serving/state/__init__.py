"""What changes between two trainings: the log of recent changes, profiles, and their reduction in memory."""
