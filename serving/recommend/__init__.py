"""Answers to recommendation requests: context, candidates, ranking, display rules and reasons."""
