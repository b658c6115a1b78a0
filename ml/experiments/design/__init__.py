"""Plan experiments: how many units and days they need, from the history of their primary metric."""
