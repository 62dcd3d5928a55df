"""What can be switched on: one package for each blueprint."""
