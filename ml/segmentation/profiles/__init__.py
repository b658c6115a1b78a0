"""What a segment is: profile, name, persona, triggers and report."""
