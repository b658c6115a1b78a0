"""What is checked of a request before its route sees it: who sends it, from where, how much and how often."""
