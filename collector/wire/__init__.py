"""How an operation travels: requests out of calls, payloads or faults out of replies."""
