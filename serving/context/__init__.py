"""From a request to the visitor's situation: device, place, local time, weather."""
