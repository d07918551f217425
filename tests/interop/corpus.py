"""Requests, well-formed and not, that any ASMX page has an answer to: by name, for the same path."""

import gzip
from typing import Final

from tests.interop.bindings import BINDINGS, ENVELOPES, FORM, SERVICE, Request, request

__all__ = ["CORPUS", "PAGE"]

PAGE: Final = "/v4.1/prod/ECGridOS.asmx"
OPERATION: Final = "ReportInstantStats"
GOOD: Final = {"SessionID": "fake-key-0001", "Minutes1": "60", "Minutes2": "120"}
XML: Final = "text/xml; charset=utf-8"
XML12: Final = "application/soap+xml; charset=utf-8"
ACTION: Final = f'"{SERVICE}{OPERATION}"'
VALID: Final = {
    "Version": {},
    "NowUTC": {},
    "Login": {"LoginName": "fake-login-0005", "Password": "fake-password-0005"},
    "WhoAmI": {"SessionID": "fake-key-0001"},
    OPERATION: GOOD,
    "MailboxList": {"SessionID": "fake-key-0001", "Name": ""},
    "MailboxListEx": {"SessionID": "fake-key-0001", "NetworkID": "300", "Name": ""},
}
FAULTY: Final = {
    "unknown-session": (OPERATION, GOOD | {"SessionID": "ffffffff-ffff-ffff-ffff-ffffffffffff"}),
    "empty-session": (OPERATION, GOOD | {"SessionID": ""}),
    "no-session": (OPERATION, {"Minutes1": "60", "Minutes2": "120"}),
    "no-minutes": (OPERATION, {"SessionID": "fake-key-9999"}),
    "wrong-password": ("Login", {"LoginName": "fake-login-0005", "Password": "wrong"}),
    "logout-of-nothing": ("Logout", {"SessionID": "ffffffff-ffff-ffff-ffff-ffffffffffff"}),
    "whoami-unknown": ("WhoAmI", {"SessionID": "<&>'\""}),
    "word-for-a-number": (OPERATION, GOOD | {"Minutes2": "soon"}),
    "empty-number": (OPERATION, GOOD | {"Minutes2": ""}),
    "number-too-large": (OPERATION, GOOD | {"Minutes2": "40000"}),
    "number-with-fraction": (OPERATION, GOOD | {"Minutes2": "60.0"}),
    "number-in-hex": (OPERATION, GOOD | {"Minutes2": "0x10"}),
    "number-with-spaces": (OPERATION, GOOD | {"Minutes2": " 120 "}),
    "number-with-plus": (OPERATION, GOOD | {"Minutes2": "+120"}),
    "number-with-zeros": (OPERATION, GOOD | {"Minutes2": "000120"}),
    "number-with-comma": (OPERATION, GOOD | {"Minutes2": "1,200"}),
    "one-parameter-more": (OPERATION, GOOD | {"Other": "x"}),
    "unknown-operation": ("ReportNothing", GOOD),
    "operation-in-other-case": ("reportinstantstats", GOOD),
    "parameters-in-other-case": (
        OPERATION,
        {"sessionid": "fake-key-0001", "MINUTES1": "60", "minutes2": "120"},
    ),
}


def envelope(version: str, inner: str, *, header: str = "") -> str:
    """An envelope around any body."""
    return (
        f'<s:Envelope xmlns:s="{ENVELOPES[version]}">{header}<s:Body>{inner}</s:Body></s:Envelope>'
    )


def stats(space: str = SERVICE, *, name: str = OPERATION, minutes: str = "120") -> str:
    """The body element of a statistics request."""
    return (
        f'<{name} xmlns="{space}"><SessionID>fake-key-0001</SessionID>'
        f"<Minutes1>60</Minutes1><Minutes2>{minutes}</Minutes2></{name}>"
    )


def soap11(body: bytes | str, **headers: str | None) -> Request:
    """A POST to the page as SOAP 1.1; a header given as None is left out."""
    wanted = {"Content-Type": XML, "SOAPAction": ACTION}
    return Request("POST", PAGE, as_bytes(body), changed(wanted, headers))


def soap12(body: bytes | str, **headers: str | None) -> Request:
    """A POST to the page as SOAP 1.2."""
    wanted = {"Content-Type": f"{XML12}; action={ACTION}"}
    return Request("POST", PAGE, as_bytes(body), changed(wanted, headers))


def as_bytes(body: bytes | str) -> bytes:
    """Text as UTF-8."""
    return body if isinstance(body, bytes) else body.encode()


def changed(wanted: dict[str, str], headers: dict[str, str | None]) -> dict[str, str]:
    """Headers with some of them set anew; `_` in a name stands for `-`."""
    merged = wanted | {name.replace("_", "-"): value for name, value in headers.items()}
    return {name: value for name, value in merged.items() if value is not None}


def routed() -> dict[str, Request]:
    """SOAPAction, action and namespaces: what decides the operation."""
    body11, body12 = envelope("soap11", stats()), envelope("soap12", stats())
    other = "http://www.ecgridos.net/"
    return {
        "soap11/action-unquoted": soap11(body11, SOAPAction=SERVICE + OPERATION),
        "soap11/action-absent": soap11(body11, SOAPAction=None),
        "soap11/action-empty": soap11(body11, SOAPAction='""'),
        "soap11/action-unknown": soap11(body11, SOAPAction=f'"{SERVICE}Nothing"'),
        "soap11/action-of-another": soap11(body11, SOAPAction=f'"{SERVICE}Version"'),
        "soap11/action-in-other-case": soap11(body11, SOAPAction=f'"{SERVICE}reportinstantstats"'),
        "soap11/action-of-other-namespace": soap11(body11, SOAPAction=f'"{other}{OPERATION}"'),
        "soap11/action-absent-body-unknown": soap11(
            envelope("soap11", stats(name="Nothing")), SOAPAction=None
        ),
        "soap11/action-absent-no-body-element": soap11(envelope("soap11", ""), SOAPAction=None),
        "soap11/no-body-element": soap11(envelope("soap11", "")),
        "soap11/body-namespace-other": soap11(envelope("soap11", stats(other))),
        "soap11/body-without-namespace": soap11(envelope("soap11", stats(""))),
        "soap11/two-body-elements": soap11(envelope("soap11", stats() + stats())),
        "soap11/envelope-of-12": soap11(body12),
        "soap11/envelope-unknown": soap11(body11.replace(ENVELOPES["soap11"], "urn:example:none")),
        "soap11/not-an-envelope": soap11(stats()),
        "soap11/header-understood-or-not": soap11(
            envelope("soap11", stats(), header='<s:Header><x xmlns="urn:x">1</x></s:Header>')
        ),
        "soap11/header-must-understand": soap11(
            envelope(
                "soap11",
                stats(),
                header='<s:Header><x xmlns="urn:x" s:mustUnderstand="1">1</x></s:Header>',
            )
        ),
        "soap12/action-absent": soap12(body12, Content_Type=XML12),
        "soap12/action-of-another": soap12(
            body12, Content_Type=f'{XML12}; action="{SERVICE}Version"'
        ),
        "soap12/action-unknown": soap12(body12, Content_Type=f'{XML12}; action="{SERVICE}Nothing"'),
        "soap12/action-empty": soap12(body12, Content_Type=f'{XML12}; action=""'),
        "soap12/action-unquoted": soap12(
            body12, Content_Type=f"{XML12}; action={SERVICE}{OPERATION}"
        ),
        "soap12/action-as-a-header": soap12(body12, Content_Type=XML12, SOAPAction=ACTION),
        "soap12/action-absent-body-unknown": soap12(
            envelope("soap12", stats(name="Nothing")), Content_Type=XML12
        ),
        "soap12/action-absent-body-of-other-namespace": soap12(
            envelope("soap12", stats(other)), Content_Type=XML12
        ),
        "soap12/action-absent-no-body-element": soap12(envelope("soap12", ""), Content_Type=XML12),
        "soap12/envelope-of-12-as-text-xml": soap11(body12, SOAPAction=None),
        "soap12/body-unknown": soap12(envelope("soap12", stats(name="Nothing"))),
        "soap12/body-namespace-other": soap12(envelope("soap12", stats(other))),
        "soap12/no-body-element": soap12(envelope("soap12", "")),
        "soap12/envelope-of-11": soap12(body11),
        "soap12/header-must-understand": soap12(
            envelope(
                "soap12",
                stats(),
                header='<s:Header><x xmlns="urn:x" s:mustUnderstand="true">1</x></s:Header>',
            )
        ),
    }


def written() -> dict[str, Request]:
    """The same request in other spellings of XML, and what is no XML."""
    body = envelope("soap11", stats())
    doctype = "<!DOCTYPE x [<!ENTITY e 'fake'>]>"
    cdata = body.replace("fake-key-0001", "<![CDATA[fake-key-0001]]>")
    return {
        "xml/empty": soap11(b""),
        "xml/not-xml": soap11("hello"),
        "xml/cut-off": soap11(body[:-20]),
        "xml/dtd": soap11(doctype + body),
        "xml/undefined-entity": soap11(body.replace("fake-key-0001", "&nothing;")),
        "xml/utf-16": soap11(
            ('<?xml version="1.0" encoding="utf-16"?>' + body).encode("utf-16"),
            Content_Type="text/xml; charset=utf-16",
        ),
        "xml/latin-1": soap11(
            ('<?xml version="1.0" encoding="iso-8859-1"?>' + body).encode("latin-1"),
            Content_Type="text/xml; charset=iso-8859-1",
        ),
        "xml/bom": soap11(b"\xef\xbb\xbf" + body.encode()),
        "xml/declaration": soap11('<?xml version="1.0" encoding="utf-8"?>\n' + body),
        "xml/indented": soap11(body.replace("><", ">\n  <")),
        "xml/comment-and-pi": soap11(body.replace("<s:Body>", "<s:Body><!-- x --><?x y?>")),
        "xml/cdata": soap11(cdata),
        "xml/comment-in-a-value": soap11(body.replace("fake-key-0001", "fake-key-<!-- -->0001")),
        "xml/space-around-a-number": soap11(body.replace(">120<", ">\n 120 \n<")),
        "xml/parameters-in-other-order": soap11(
            envelope(
                "soap11",
                f'<{OPERATION} xmlns="{SERVICE}"><Minutes2>120</Minutes2><Minutes1>60</Minutes1>'
                f"<SessionID>fake-key-0001</SessionID></{OPERATION}>",
            )
        ),
        "xml/nil-string": soap11(
            envelope(
                "soap11",
                f'<{OPERATION} xmlns="{SERVICE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
                f'<SessionID xsi:nil="true" /><Minutes1>60</Minutes1></{OPERATION}>',
            )
        ),
    }


def unreadable() -> dict[str, Request]:
    """Values that no reader takes, and what stands behind them: a fault tells where it gave up."""
    behind = {
        "nothing": "",
        "space": " \n ",
        "line": "\r\n<Minutes2>2</Minutes2>",
        "text": "abc<Minutes2>2</Minutes2>",
        "cdata": "<![CDATA[abc]]>",
        "comment": "<!-- c -->",
        "instruction": "<?abc d?>",
        "element": "<Minutes2>2</Minutes2>",
        "another": "<Minutes1>60</Minutes1>",
        "number-too-large": "<Minutes2>40000</Minutes2>",
        "comment-in-a-value": "<Minutes2>2<!-- --></Minutes2>",
    }
    values = {
        "empty-element": "<Minutes1/>",
        "letters-before": "<SessionID>f\u00e4\u20ac\U0001f600</SessionID><Minutes1>x</Minutes1>",
        "minutes-swapped": "<Minutes2>40000</Minutes2><Minutes1>x</Minutes1>",
        "comment-before-a-number": "<Minutes1><!-- -->60</Minutes1>",
        "comment-after-a-number": "<Minutes1>x<!-- --></Minutes1>",
        "instruction-in-a-value": "<SessionID>fake<?x y?></SessionID>",
        "element-in-a-value": "<SessionID>fake<b/></SessionID>",
        "comment-in-an-unknown-value": "<SessionID>fake</SessionID><Other>a<!-- -->b</Other>",
    }
    values |= {
        f"{name}-behind": f"<SessionID>fake</SessionID><Minutes1>x</Minutes1>{inner}"
        for name, inner in behind.items()
    }
    bodies = {
        name: envelope("soap11", f'<{OPERATION} xmlns="{SERVICE}">{inner}</{OPERATION}>')
        for name, inner in values.items()
    }
    spelt = '<?xml version="1.0" encoding="utf-16"?>' + bodies["letters-before"]
    kind = "text/xml; charset=utf-16"
    return {f"unreadable/{name}": soap11(body) for name, body in bodies.items()} | {
        "unreadable/utf-16": soap11(spelt.encode("utf-16"), Content_Type=kind),
        "unreadable/bom": soap11(b"\xef\xbb\xbf" + bodies["element-behind"].encode()),
    }


def framed() -> dict[str, Request]:
    """Methods, content types and sizes."""
    body = envelope("soap11", stats()).encode()
    good = request("http-post", PAGE, OPERATION, GOOD)
    form = good.body
    multipart = b'--x\r\nContent-Disposition: form-data; name="SessionID"\r\n\r\nx\r\n--x--\r\n'
    return {
        "frame/application-xml": soap11(body, Content_Type="application/xml"),
        "frame/no-content-type": soap11(body, Content_Type=None),
        "frame/text-plain": soap11(body, Content_Type="text/plain"),
        "frame/gzipped": soap11(gzip.compress(body), Content_Encoding="gzip"),
        "frame/too-large": soap11(body + b" " * 5_000_000),
        "frame/head": Request("HEAD", PAGE, None, {}),
        "frame/options": Request("OPTIONS", PAGE, None, {}),
        "frame/put": Request("PUT", PAGE, body, {"Content-Type": XML}),
        "frame/delete": Request("DELETE", PAGE, None, {}),
        "frame/help": Request("GET", PAGE, None, {}),
        "frame/help-of-an-operation": Request("GET", f"{PAGE}?op={OPERATION}", None, {}),
        "frame/wsdl": Request("GET", f"{PAGE}?WSDL", None, {}),
        "frame/other-page": Request("GET", "/v4.1/prod/Nothing.asmx", None, {}),
        "form/put": Request("PUT", good.path, form, {"Content-Type": FORM}),
        "form/head": Request("HEAD", request("http-get", PAGE, "Version", {}).path, None, {}),
        "form/charset": Request(
            "POST", good.path, form, {"Content-Type": f"{FORM}; charset=utf-8"}
        ),
        "form/no-content-type": Request("POST", good.path, form, {}),
        "form/no-content-type-nothing-to-read": Request("POST", f"{PAGE}/Version", form, {}),
        "form/text-plain-nothing-to-read": Request(
            "POST", f"{PAGE}/Version", form, {"Content-Type": "text/plain"}
        ),
        "form/text-xml": Request("POST", good.path, body, {"Content-Type": XML}),
        "form/multipart": Request(
            "POST", good.path, multipart, {"Content-Type": "multipart/form-data; boundary=x"}
        ),
        "form/empty": Request("POST", good.path, b"", {"Content-Type": FORM}),
        "form/trailing-slash": Request("GET", f"{PAGE}/Version/", None, {}),
        "form/only-a-slash": Request("GET", f"{PAGE}/", None, {}),
        "form/query-at-a-post": Request(
            "POST", f"{good.path}?SessionID=x", form, {"Content-Type": FORM}
        ),
        "form/parameter-twice": Request(
            "GET", f"{PAGE}/{OPERATION}?SessionID=a&SessionID=b&Minutes1=1&Minutes2=2", None, {}
        ),
        "form/number-twice": Request(
            "GET",
            f"{PAGE}/{OPERATION}?SessionID=fake-key-0001&Minutes1=1&Minutes1=2&Minutes2=3",
            None,
            {},
        ),
    }


def collected() -> dict[str, Request]:
    """Everything, by name."""
    plain = {
        f"{binding}/{name}": request(binding, PAGE, name, values)
        for binding in BINDINGS
        for name, values in VALID.items()
    }
    faulty = {
        f"{binding}/{case}": request(binding, PAGE, name, values)
        for binding in BINDINGS
        for case, (name, values) in FAULTY.items()
    }
    return plain | faulty | routed() | written() | unreadable() | framed()


CORPUS: Final = collected()
