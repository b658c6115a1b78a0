"""The commands about the files that the owner of a site edits."""
