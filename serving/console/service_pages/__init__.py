"""Pages that ask the running service: what it recommends, what it decides, and what it holds of a person."""
