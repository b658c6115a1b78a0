"""Reports of experiments: pages, plots and summaries."""
