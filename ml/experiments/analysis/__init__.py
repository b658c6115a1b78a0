"""Analysis of experiments: exposures, outcomes, estimates, health checks and decisions."""
