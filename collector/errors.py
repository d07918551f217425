"""The collector's errors, named by what the caller must do; knows nothing of HTTP or XML.

CollectorError
├── FatalError                stop the run
│   ├── ConfigError           exit 2: the configuration or the command line is wrong
│   ├── LockHeldError         exit 3: another run holds the storage root
│   ├── CertificateError      exit 5: the service's certificate is refused; asking again would not help
│   └── LandingError          exit 5: the landing store cannot be written or read
│       ├── LandingDamagedError   its contents are not what was written
│       └── LandingVersionError   another version wrote it
├── WireError                 a reply that is not what the binding promises: classify it
│   └── ReplyTooLargeError    the body is larger than the configured limit, as received or decompressed
├── TransportError            nothing usable came back: retry
│   ├── ConnectError          no connection was made, so nothing was sent
│   ├── DroppedError          a reused connection was closed before a byte came back
│   ├── ReplyTimeoutError     the time limit passed after the request was sent
│   └── UnaskedError          a reply was there before its request had been written
├── RefusedError              exit 1: the service answers, and does not give what a command is about
└── CredentialError           this credential is refused; only its sessions fail
"""

__all__ = [
    "CertificateError",
    "CollectorError",
    "ConfigError",
    "ConnectError",
    "CredentialError",
    "DroppedError",
    "FatalError",
    "LandingDamagedError",
    "LandingError",
    "LandingVersionError",
    "LockHeldError",
    "RefusedError",
    "ReplyTimeoutError",
    "ReplyTooLargeError",
    "TransportError",
    "UnaskedError",
    "WireError",
]


class CollectorError(Exception):
    """Root of everything this package raises on purpose."""


class FatalError(CollectorError):
    """The run cannot go on."""


class ConfigError(FatalError):
    """The configuration or the command line is wrong; the message names key, value and what is allowed."""


class LockHeldError(FatalError):
    """Another run works on the same storage root."""


class CertificateError(FatalError):
    """The service's certificate is refused; the message says what is wrong with it and what to do."""


class LandingError(FatalError):
    """The landing store cannot be created, written or read."""


class LandingDamagedError(LandingError):
    """The landing store, or a record in it, is not what was written; what is left may be saved."""


class LandingVersionError(LandingError):
    """The landing store was written by another version of this program."""


class WireError(CollectorError):
    """The reply is not what the binding promises (not XML, another operation's answer, a DTD)."""


class ReplyTooLargeError(WireError):
    """The body is larger than the limit, as received or decompressed."""


class TransportError(CollectorError):
    """Nothing usable came back from the service."""


class ConnectError(TransportError):
    """No connection could be made; the request was not sent."""


class DroppedError(TransportError):
    """A kept-alive connection was closed by the other side before any byte of a reply."""


class ReplyTimeoutError(TransportError):
    """The request was sent and no complete reply came within the time limit."""


class UnaskedError(TransportError):
    """A reply was there before its request had been written, so it is the reply to nothing, or to another request."""

    def __init__(self) -> None:
        super().__init__("the server sent data before the request")


class RefusedError(CollectorError):
    """The service answers, but refuses what a command is about, or has none of it; the message says what to do."""


class CredentialError(CollectorError):
    """There is no SessionID for this credential, and there will be none in this run."""
