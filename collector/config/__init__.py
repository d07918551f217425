"""TOML, CSV and environment -> frozen settings and credentials, validated once. Knows nothing of the network."""

from collector.config.loading import load, watchers
from collector.config.mailboxes_file import MailboxRow, MailboxRows, Renamed, mailbox_rows
from collector.config.references import (
    ApiKey,
    Credential,
    Login,
    Unreadable,
    credentials,
    is_plain,
    ping_url,
    referred,
    require_readable,
    s3_secrets,
)
from collector.config.sessions_file import read_sessions_file
from collector.config.settings import (
    S3,
    Alert,
    Limits,
    Metrics,
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
    "Alert",
    "ApiKey",
    "Credential",
    "Limits",
    "Login",
    "MailboxRow",
    "MailboxRows",
    "Metrics",
    "Quality",
    "Renamed",
    "Retry",
    "Run",
    "Service",
    "SessionEntry",
    "Settings",
    "Storage",
    "Unreadable",
    "Windows",
    "credentials",
    "is_plain",
    "load",
    "mailbox_rows",
    "ping_url",
    "read_sessions_file",
    "referred",
    "require_readable",
    "s3_secrets",
    "watchers",
]
