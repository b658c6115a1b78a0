"""Online learning between trainings."""
