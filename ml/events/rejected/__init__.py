"""What was rejected or set aside: looked through, repaired, and put into the log again."""
