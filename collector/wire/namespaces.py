"""Every namespace and protocol string on the wire, in one place."""

from typing import Final

__all__ = [
    "DIFFGR",
    "ECGRID",
    "KNOWN",
    "MSDATA",
    "SOAP11",
    "SOAP12",
    "XSD",
    "XSI",
]

SOAP11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"
XSD: Final = "http://www.w3.org/2001/XMLSchema"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
MSDATA: Final = "urn:schemas-microsoft-com:xml-msdata"
DIFFGR: Final = "urn:schemas-microsoft-com:xml-diffgram-v1"

ECGRID: Final = "https://os.ecgrid.io/"
# The ASMX help page says the first; the developer guides say the second; v3.2 used the third.
KNOWN: Final = (ECGRID, "http://www.ecgridos.net/", "http://ecgridos.net/")
