"""Models that read what a person took as a sequence: what came last says most about what comes next."""
