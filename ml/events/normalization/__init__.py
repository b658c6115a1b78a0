"""Words of senders → the words of the event contract. Trackers, exports and files all pass through here."""
