"""How an operation of the service travels: the four bindings of an ASMX service. Knows nothing of their format."""

from enum import StrEnum

__all__ = ["Binding"]


class Binding(StrEnum):
    """How an operation travels."""

    SOAP11 = "soap11"
    SOAP12 = "soap12"
    HTTP_POST = "http-post"
    HTTP_GET = "http-get"
