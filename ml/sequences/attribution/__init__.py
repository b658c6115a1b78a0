"""What brought conversions about: channels and campaigns over the visits of a person."""
