"""Pages that people keep: one file of HTML each, which needs no network and runs no script."""
