"""TOML, CSV and environment -> frozen settings and credentials, validated once. Knows nothing of the network."""

from collector.config.loading import load
from collector.config.references import (
    ApiKey,
    Credential,
    Login,
    Unreadable,
    credentials,
    referred,
    require_readable,
    s3_secrets,
)
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
    "Unreadable",
    "Windows",
    "credentials",
    "load",
    "referred",
    "require_readable",
    "s3_secrets",
]
