"""Frozen values that all packages of the collector share, secrets, and whom TLS trusts. No network, no parsing."""
