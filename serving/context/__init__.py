"""The visitor's situation: device, place, local time and weather."""
