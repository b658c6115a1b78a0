"""The online service: collects events, answers from published artifacts."""
