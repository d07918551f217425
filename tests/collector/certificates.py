"""Certificates of a private authority, right and wrong in every way a client must notice."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

__all__ = ["FAULTS", "authority", "tls_server"]

_DAY = timedelta(days=1)
FAULTS = {  # what is wrong -> what is said of it, and what to do
    "name": ("is for another host name", "service.url"),
    "address": ("is for another address", "service.url"),
    "expired": ("has expired", "clock"),
    "future": ("is not valid yet", "clock"),
    "self-signed": ("is self-signed", "service.ca_file"),
    "stranger": ("was issued by an unknown authority", "service.ca_file"),
}


def authority(folder: Path) -> tuple[trustme.CA, Path]:
    """A private authority, and its certificate as a file."""
    ca = trustme.CA()
    path = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, path


def tls_server(ca: trustme.CA, fault: str = "") -> ssl.SSLContext:
    """What a server on 127.0.0.1 and localhost shows; right, or with a fault."""
    now = datetime.now(UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if fault == "self-signed":
        own = trustme.CA()
        with own.cert_pem.tempfile() as chain, own.private_key_pem.tempfile() as key:
            context.load_cert_chain(chain, key)
        return context
    names = {"name": ["elsewhere.invalid"], "address": ["127.0.0.2"]}
    begins, ends = {
        "expired": (now - 3 * _DAY, now - _DAY),
        "future": (now + _DAY, now + 3 * _DAY),
    }.get(fault, (None, None))
    issuer = trustme.CA() if fault == "stranger" else ca
    wanted = names.get(fault, ["localhost", "127.0.0.1"])
    issuer.issue_cert(*wanted, not_before=begins, not_after=ends).configure_cert(context)
    return context
