"""Turns landed replies into published tables; sends nothing to the service."""
