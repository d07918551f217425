"""Asks ECGridOS for instant statistics and lands every reply; knows nothing of tables."""
