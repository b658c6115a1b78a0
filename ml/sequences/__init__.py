"""What the order of visits and of small actions says."""
