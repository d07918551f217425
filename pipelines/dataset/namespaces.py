"""The namespaces of a DataSet on the wire; responsible for the constants only, knows no service."""

__all__ = [
    "DIFFGR",
    "MSDATA",
    "MSPROP",
    "SOAP11",
    "SOAP12",
    "XML",
    "XSD",
    "XSI",
    "clark",
    "local_name",
]

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
XSD = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XML = "http://www.w3.org/XML/1998/namespace"
MSDATA = "urn:schemas-microsoft-com:xml-msdata"
MSPROP = "urn:schemas-microsoft-com:xml-msprop"
DIFFGR = "urn:schemas-microsoft-com:xml-diffgram-v1"


def clark(namespace: str, local: str) -> str:
    """Return `{namespace}local`, or the bare name outside any namespace."""
    return f"{{{namespace}}}{local}" if namespace else local


def local_name(tag: str) -> str:
    """Return the name behind the namespace, which may hold braces of its own."""
    return tag.rpartition("}")[2]
