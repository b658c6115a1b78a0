"""The rights of a person, export and erasure, and the tokens that say who a person is."""
