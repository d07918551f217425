"""What came back, what it means, and what is done about it: classification and the one policy for every operation."""
