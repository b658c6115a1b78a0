"""Commands that propose what a person then decides."""
