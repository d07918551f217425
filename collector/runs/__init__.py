"""A run: what is asked, what remains of it, attempts, workers, recovery after a crash, and the preflight check."""
