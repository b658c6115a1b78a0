"""The commands of `tessera`, one file each."""
