"""What may not be kept is stopped here, before anything is written."""
