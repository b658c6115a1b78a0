"""Who reads the console, how they sign in, and what their role lets them do."""
