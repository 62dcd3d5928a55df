"""What teams do and refuse, one file a topic."""
