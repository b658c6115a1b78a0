"""Decision rules, dayparts, display caps and bandits."""
