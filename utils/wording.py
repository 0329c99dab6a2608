"""Titles, percentages and values with their interval, as the interface and the command line word them."""
