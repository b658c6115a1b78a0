"""Files that the owner of a site edits, and how they are found and read."""
