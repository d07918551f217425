"""TOML and environment -> frozen settings, validated once at the edge. Knows nothing of the network."""

from collector.config.loading import load
from collector.config.references import ApiKey, Credential, Login, credentials
from collector.config.settings import (
    Limits,
    Quality,
    Retry,
    Run,
    Service,
    SessionEntry,
    Settings,
    Storage,
    Windows,
)

__all__ = [
    "ApiKey",
    "Credential",
    "Limits",
    "Login",
    "Quality",
    "Retry",
    "Run",
    "Service",
    "SessionEntry",
    "Settings",
    "Storage",
    "Windows",
    "credentials",
    "load",
]
