"""The learned ranker of candidates: its context, features, training and refits."""
