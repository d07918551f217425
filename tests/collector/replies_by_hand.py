"""Replies as the service, the ASP.NET stack and proxies write them, put together by hand and from recorded samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from collector.domain.binding import Binding

__all__ = ["BINDINGS", "SAMPLES", "Recorded", "dataset", "envelope", "fault", "plain", "sample"]

ECGRID: Final = "https://os.ecgrid.io/"
NAMESPACES: Final = {
    Binding.SOAP11: "http://schemas.xmlsoap.org/soap/envelope/",
    Binding.SOAP12: "http://www.w3.org/2003/05/soap-envelope",
}
TYPES: Final = {
    Binding.SOAP11: "text/xml; charset=utf-8",
    Binding.SOAP12: "application/soap+xml; charset=utf-8",
}
BINDINGS: Final = tuple(Binding)
_ROOT: Final = Path(__file__).parent.parent / "asmx-samples"
_FILES: Final = {
    Binding.SOAP11: "soap11",
    Binding.SOAP12: "soap12",
    Binding.HTTP_POST: "post",
    Binding.HTTP_GET: "get",
}
SAMPLES: Final = tuple(sorted(path.parent.name for path in _ROOT.glob("*/expected.json")))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A reply: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The header of that name."""
        return self.headers.get("content-type", "")


def sample(case: str, binding: Binding) -> Recorded:
    """A recorded reply of the real stack."""
    head, _, body = (_ROOT / case / f"{_FILES[binding]}.http").read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = (line.split(": ", 1) for line in lines)
    return Recorded(int(first.split()[1]), {name.lower(): value for name, value in headers}, body)


def envelope(content: str, binding: Binding = Binding.SOAP12, prefix: str = "soap") -> bytes:
    """A SOAP envelope with that body."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><{prefix}:Envelope xmlns:{prefix}="{NAMESPACES[binding]}">'
        f"<{prefix}:Body>{content}</{prefix}:Body></{prefix}:Envelope>"
    ).encode()


def dataset(inside: str, binding: Binding) -> Recorded:
    """The answer to ReportInstantStats whose result holds `inside`."""
    if binding in NAMESPACES:
        content = (
            f'<ReportInstantStatsResponse xmlns="{ECGRID}"><ReportInstantStatsResult>{inside}'
            "</ReportInstantStatsResult></ReportInstantStatsResponse>"
        )
        return Recorded(200, {"content-type": TYPES[binding]}, envelope(content, binding))
    body = f'<?xml version="1.0" encoding="utf-8"?>\n<DataSet xmlns="{ECGRID}">{inside}</DataSet>'
    return Recorded(200, {"content-type": "text/xml; charset=utf-8"}, body.encode())


def fault(text: str, detail: str, binding: Binding, *, server: bool = False) -> Recorded:
    """A fault as ASP.NET writes it: GET and POST have the text alone, HTML-escaped, in a line of its own."""
    if binding is Binding.SOAP11:
        content = (
            f"<soap:Fault><faultcode>soap:{'Server' if server else 'Client'}</faultcode>"
            f"<faultstring>{escape(text)}</faultstring>{detail or '<detail />'}</soap:Fault>"
        )
    elif binding is Binding.SOAP12:
        content = (
            f"<soap:Fault><soap:Code><soap:Value>soap:{'Receiver' if server else 'Sender'}</soap:Value></soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="en">{escape(text)}</soap:Text></soap:Reason>'
            f"{detail or '<soap:Detail />'}</soap:Fault>"
        )
    else:
        return plain(500, escape(text) + "\n", "text/plain; charset=utf-8")
    return Recorded(500, {"content-type": TYPES[binding]}, envelope(content, binding))


def plain(status: int, body: str | bytes, content_type: str = "") -> Recorded:
    """Whatever else may come."""
    content = body if isinstance(body, bytes) else body.encode()
    return Recorded(status, {"content-type": content_type} if content_type else {}, content)
