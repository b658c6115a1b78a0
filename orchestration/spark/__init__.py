"""Learning on Spark: models, ranked lists and metrics of sites that have outgrown one machine."""
