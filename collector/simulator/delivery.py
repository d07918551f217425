"""What happens to a reply between the service and the socket: other bytes, other statuses, no reply.

Knows replies and switches, nothing of sockets.
"""

import dataclasses
import gzip
from typing import Final

from collector.simulator.clock import http_date
from collector.simulator.replies import WireReply, empty_reply, html_reply
from collector.simulator.switches import Switches

__all__ = ["canned", "tampered", "throttled"]

_BOM: Final = b"\xef\xbb\xbf"
_DECLARATION_END: Final = b"?>"
# Small enough to be harmless even to a parser that expands it.
_DTD: Final = b'<!DOCTYPE bomb [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'

_XML: Final = "text/xml; charset=utf-8"
_ELSEWHERE: Final = "http://elsewhere.invalid/v4.1/prod/ECGridOS.asmx"
_PAGES: Final = {
    "html_200": (200, "Scheduled maintenance"),
    "html_502": (502, "Bad Gateway"),
    "html_503": (503, "Service Unavailable"),
}


def throttled(switches: Switches, now_us: int) -> WireReply:
    """The reply to one request too many."""
    status = switches.throttle_status
    title = "Too Many Requests" if status == 429 else "Service Unavailable"
    reply = html_reply(status, title, "throttled")
    value = _retry_after(switches, now_us)
    return reply if value is None else dataclasses.replace(reply, headers=(("Retry-After", value),))


def _retry_after(switches: Switches, now_us: int) -> str | None:
    """The header's value; whole seconds are rounded up, so that obeying it is enough."""
    match switches.retry_after:
        case "none":
            return None
        case "date":
            return http_date(now_us + int(switches.retry_after_seconds * 1_000_000) + 999_999)
        case "past":
            return http_date(now_us - 86_400_000_000)
        case "absurd":
            return "99999999999"
        case "words":
            return "soon"
        case _:
            return str(max(0, -int(-switches.retry_after_seconds // 1)))


def canned(hits: frozenset[str]) -> WireReply | None:
    """The page somebody else sends in the service's place, if a switch says so."""
    for name, (status, title) in _PAGES.items():
        if name in hits:
            return html_reply(status, title, name)
    for name, status in (("empty_200", 200), ("empty_500", 500)):
        if name in hits:
            return dataclasses.replace(empty_reply(status, _XML), fault=name)
    if "redirect" in hits:
        page = html_reply(302, "Object moved", "redirect")
        return dataclasses.replace(page, headers=(("Location", _ELSEWHERE),))
    return None


def tampered(reply: WireReply, hits: frozenset[str], credential: str) -> WireReply:
    """The reply with other bytes, as far as switches hit."""
    body, headers, media = reply.body, reply.headers, reply.content_type
    # From the inside out: what is compressed last holds all the rest.
    if "echo_credential" in hits and credential:
        body += f"<!-- SessionID={credential} -->".encode()
    if "dtd" in hits:
        head, end, tail = body.partition(_DECLARATION_END)
        body = head + end + _DTD + tail if end else _DTD + body
    if "bom" in hits:
        body = _BOM + body
    if "wrong_charset" in hits:
        media = media.partition(";")[0] + "; charset=utf-16"
    if "gzip" in hits:
        body = gzip.compress(body, mtime=0)
        headers = (*headers, ("Content-Encoding", "gzip"))
    return dataclasses.replace(reply, body=body, headers=headers, content_type=media)
