"""The learned ranker of candidates: features, training and refits."""
