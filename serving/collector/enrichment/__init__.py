"""What the collector adds to an event: device, place, channel, and a clock set right."""
