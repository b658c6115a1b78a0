"""The parts of `auto`: what the data looks like, what may suit it, what that costs, and how it is tried."""
