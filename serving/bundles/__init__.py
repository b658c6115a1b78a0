"""Published bundles: the one that is served, and how a new one replaces it."""
