"""Frozen values that cross the lines between rooms, secrets, and whom TLS trusts. No I/O on the network, no parsing."""
