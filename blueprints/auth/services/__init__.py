"""What accounts do and refuse, one file a topic."""
