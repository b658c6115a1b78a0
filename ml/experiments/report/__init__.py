"""Reports of experiments: pages and plots."""
