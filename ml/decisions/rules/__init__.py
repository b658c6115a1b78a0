"""Decision rules, their tests, the visitor's local time, display caps and the bandit."""
