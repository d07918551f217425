"""Whom a TLS connection trusts, and what a refused certificate means in plain words. Opens no connection."""

import ssl
from pathlib import Path
from typing import Final

__all__ = ["certificate_fault", "trust"]

# OpenSSL's numbers (X509_V_ERR_...) -> what is wrong, and what to do
_CLOCK: Final = "is this machine's clock right? If it is, only the service can renew it"
_AUTHORITY: Final = (
    "if you know the authority, name its certificate (PEM) in service.ca_file; if not, somebody may"
    " stand between you and the service"
)
_FAULTS: Final = {
    9: ("is not valid yet", _CLOCK),
    10: ("has expired", _CLOCK),
    18: ("is self-signed", _AUTHORITY),
    19: ("was issued by an unknown authority", _AUTHORITY),
    20: ("was issued by an unknown authority", _AUTHORITY),
    21: ("was issued by an unknown authority", _AUTHORITY),
    62: ("is for another host name", "does service.url name the right host?"),
    64: ("is for another address", "does service.url name the right host?"),
}
_OTHER: Final = "ask who runs the service"


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """What to check the service's certificate against: `ca_file` alone, or the system's authorities if None.

    Raises:
        ValueError: the file cannot be read, or holds no certificate.
    """
    if ca_file is None:
        return ssl.create_default_context()
    try:
        bundle = ca_file.read_text(encoding="ascii", errors="ignore")
    except OSError as error:
        raise ValueError(
            f"cannot be read ({error.strerror}); must be a file that this user may read"
        ) from None
    try:
        context = ssl.create_default_context(cadata=bundle or "nothing")  # none: the system's
    except (ssl.SSLError, ValueError):
        raise ValueError("must hold certificates in PEM form (BEGIN CERTIFICATE)") from None
    return context


def certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with the service's certificate, and what to do about it."""
    said, advice = _FAULTS.get(error.verify_code, ("was refused", _OTHER))
    return f"the service's certificate {said} ({error.verify_message}); {advice}"
