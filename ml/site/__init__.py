"""The files that the owner of a site edits: where they are, how they are read, and how a new site gets them."""
