"""Published bundles: which one is served, and how a new one takes its place."""
