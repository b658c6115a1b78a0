"""The right to be forgotten: who was erased, what is left of them and where, and the receipt that says so."""
