"""TOML and environment -> frozen settings, validated once at the edge. Knows nothing of the network."""

from collector.config.loading import load
from collector.config.references import ApiKey, Credential, Login, credentials, referred, s3_secrets
from collector.config.settings import (
    S3,
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
    "S3",
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
    "referred",
    "s3_secrets",
]
