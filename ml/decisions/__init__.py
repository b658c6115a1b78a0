"""What to show now: recent activity, candidates, ranking, decision rules, display caps and explanations."""
