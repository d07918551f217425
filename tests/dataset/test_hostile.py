"""Hostile documents are refused with a typed error, quickly and in bounded memory."""

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.dataset import Limits, read, read_many
from pipelines.dataset.errors import DataSetError, HostileXmlError, NotADataSetError, SchemaError
from tests.dataset.made import column, element_table, reply
from tests.dataset.samples import body_of

_BODY = body_of("documented", "soap11")[0]
_DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>'
_LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY a "ha">'
    + b"".join(
        b'<!ENTITY %c "%s">' % (ord("b") + n, b"&%c;" % (ord("a") + n) * 10) for n in range(12)
    )
    + b"]>"
)


_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def _memory(what: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


def _after_declaration(part: bytes) -> bytes:
    return _BODY.replace(_DECLARATION, _DECLARATION + part)


def _in_a_cell(part: bytes) -> bytes:
    return _BODY.replace(b">104<", b">" + part + b"<")


@pytest.mark.parametrize(
    "prolog",
    [
        b"<!DOCTYPE a>",
        b"  <!-- c --><?p q?> <!DOCTYPE a>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "http://example.invalid/">]>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://example.invalid/"> %x;]>',
        _LAUGHS,
    ],
    ids=["bare", "late", "file", "entity", "parameter", "laughs"],
)
def test_any_dtd_is_refused(prolog: bytes) -> None:
    """Before a parser sees it, in UTF-16 too."""
    with pytest.raises(HostileXmlError, match="document type"):
        read(_after_declaration(prolog))
    with pytest.raises(HostileXmlError, match="document type"):
        read((prolog + b"<a/>").decode().encode("utf-16"))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (_in_a_cell(b"&undefined;"), NotADataSetError),
        (_in_a_cell(b"\0"), NotADataSetError),
        (_in_a_cell(b"\x01"), NotADataSetError),
        (_in_a_cell(b"\xff\xfe"), NotADataSetError),
        (_in_a_cell(b"\xed\xa0\x80"), NotADataSetError),
        (_in_a_cell(b"&#0;"), NotADataSetError),
        (_in_a_cell(b"&#xD800;"), NotADataSetError),
        (_in_a_cell(b"]]>"), DataSetError),
        (_BODY.replace(b'rowOrder="0"', b'rowOrder="0" msdata:rowOrder="1"'), NotADataSetError),
        (_BODY.replace(b"diffgr:id", b"nowhere:id"), NotADataSetError),
        (_BODY[:-1], NotADataSetError),
        (_BODY + _BODY, NotADataSetError),
        (_BODY + b"text", NotADataSetError),
        (b"", NotADataSetError),
        (b"\xef\xbb\xbf  ", NotADataSetError),
        (b"</document><document>", NotADataSetError),
        (b"not XML", NotADataSetError),
        (b"<html><body><table/></body></html>", NotADataSetError),
        (b"\x1f\x8b\x08\0\0\0", NotADataSetError),
    ],
)
def test_what_is_not_xml_is_refused(body: bytes, error: type[DataSetError]) -> None:
    """Malformed in one way or another: one typed error."""
    with pytest.raises(error):
        read(body)


def _deep(levels: int) -> bytes:
    return b"<DataSet>" + b"<a>" * levels + b"</a>" * levels + b"</DataSet>"


def _wide_schema(columns: int) -> bytes:
    return reply(element_table("T", *(column(f"c{n}") for n in range(columns))), "")


def _many_tables(tables: int) -> bytes:
    return reply("".join(element_table(f"T{n}") for n in range(tables)), "")


def _many_rows(rows: int) -> bytes:
    return reply(element_table("T", column("a")), "<T/>" * rows)


def _undeclared_columns(columns: int) -> bytes:
    cells = "".join(f"<c{n}/>" for n in range(columns))
    return reply(element_table("T"), f"<T>{cells}</T>")


def _undeclared_tables(tables: int) -> bytes:
    return reply("", "".join(f"<T{n}/>" for n in range(tables)))


def _error(body: bytes, limits: Limits) -> DataSetError | None:
    try:
        read(body, limits=limits)
    except DataSetError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("make", "limits"),
    [
        (_deep, Limits(depth=20)),
        (_wide_schema, Limits(columns=20)),
        (_many_tables, Limits(tables=20)),
        (_many_rows, Limits(rows=20)),
        (_undeclared_columns, Limits(columns=20)),
        (_undeclared_tables, Limits(tables=20)),
        (lambda n: _in_a_cell(b"1" * n), Limits(text_chars=20)),
        (lambda n: b"<DataSet>" + b" " * n + b"</DataSet>", Limits(body_bytes=39)),
    ],
    ids=["depth", "columns", "tables", "rows", "loose columns", "loose tables", "text", "bytes"],
)
def test_each_limit_is_exact(make: Callable[[int], bytes], limits: Limits) -> None:
    """What reaches the limit is read, or fails for another reason; one more is refused."""
    for size in (5, 15):
        assert not isinstance(_error(make(size), limits), HostileXmlError), size
    with pytest.raises(HostileXmlError):
        read(make(21), limits=limits)


@pytest.mark.skipif(not _CLEAR.exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda: _deep(300_000), id="depth"),
        pytest.param(lambda: _wide_schema(10_000), id="columns"),
        pytest.param(lambda: _many_tables(10_000), id="tables"),
        pytest.param(lambda: b"<DataSet>" + b"<a/>" * 5_000_000 + b"</DataSet>", id="elements"),
        pytest.param(
            lambda: b"<DataSet " + b" ".join(b'a%d="1"' % n for n in range(1_500_000)) + b"/>",
            id="attributes",
        ),
        pytest.param(lambda: b"<DataSet>" + b" " * 30_000_000 + b"</DataSet>", id="white space"),
        pytest.param(lambda: _BODY + b" " * 30_000_000, id="white space after"),
        pytest.param(lambda: _in_a_cell(b"1" * 30_000_000), id="text"),
        pytest.param(lambda: _in_a_cell(b"&#x31;" * 3_000_000), id="references"),
        pytest.param(lambda: _after_declaration(b"<!--" + b"-" * 20_000_000), id="comment"),
        pytest.param(lambda: b"\r<DataSet a='" + b"x" * 90_000_000, id="endless tag"),
        pytest.param(lambda: reply("", "<T>" + "<a/>" * 3_000_000 + "</T>"), id="one row"),
        pytest.param(
            lambda: reply(
                "", "", after="<diffgr:errors>" + "<a/>" * 3_000_000 + "</diffgr:errors>"
            ),
            id="errors",
        ),
    ],
)
def test_costs_little(body: Callable[[], bytes]) -> None:
    """A typed error, or the few rows there are, within seconds."""
    document = body()
    _CLEAR.write_text("5")  # the highest use of memory so far is forgotten
    before = _memory("VmRSS")
    started = time.perf_counter()
    with suppress(DataSetError):
        read(document)
    assert time.perf_counter() - started < 10
    assert _memory("VmHWM") - before < 3 * len(document) + 300_000_000


@pytest.mark.skipif(not _CLEAR.exists(), reason="memory is read from /proc")
def test_what_was_refused_is_let_go_of() -> None:
    """Eight documents take hardly more memory than one, though their errors are kept."""
    columns = "".join(f'<xs:element name="C{n}" type="xs:int" />' for n in range(120_000))
    table = '<xs:element name="T"><xs:complexType><xs:sequence>{}</xs:sequence></xs:complexType></xs:element>'
    bodies = [reply(table.format(columns + " " * n), "") for n in range(8)]
    gc.disable()  # which would come by at some time
    try:
        before = _memory("VmRSS")
        failures = read_many(bodies).failures
        grown = _memory("VmRSS") - before
    finally:
        gc.enable()
    assert [place for place, _ in failures] == list(range(8))
    assert grown < 120_000_000


def test_recursive_types_end() -> None:
    """A type that contains itself, through elements, groups or simple types."""
    recursive = (
        '<xs:complexType name="A"><xs:sequence><xs:element name="b" type="A"/></xs:sequence>'
        "</xs:complexType>"
    )
    schema = (
        '<xs:schema id="S" xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema">'
        f'{recursive}<xs:element name="a" type="A"/><xs:element name="c" type="A"/></xs:schema>'
    )
    with pytest.raises(SchemaError, match="contains itself"):
        read(f"<DataSet>{schema}</DataSet>".encode())
    simple = schema.replace(
        recursive,
        '<xs:simpleType name="B"><xs:restriction base="B"/></xs:simpleType>'
        '<xs:complexType name="A"><xs:attribute name="b" type="B"/></xs:complexType>',
    )
    with pytest.raises(SchemaError, match="does not define"):
        read(f"<DataSet>{simple}</DataSet>".encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'type="xs:int"', b'type="xs:inu"'),
        (b'type="xs:int"', b'type="int"'),
        (b"<xs:element name=", b"<xs:elemenu name="),
        (b'name="ParcelsIn1"', b'nane="ParcelsIn1"'),
        (b'IsDataSet="true"', b'IsDataSet="trud"'),
    ],
)
def test_a_damaged_schema_is_refused(old: bytes, new: bytes) -> None:
    """Rather than a column missing or another type."""
    body = _BODY.replace(old, new, 1)
    if new.startswith(b"<xs:elemenu"):
        body = body.replace(b'elemenu name="NewDataSet"', b'element name="NewDataSet"')
        body = body.replace(b'<xs:element name="Table">', b'<xs:group name="Table">')
        body = body.replace(b"</xs:element></xs:choice>", b"</xs:group></xs:choice>")
        body = body.replace(b'<xs:element name="ParcelsIn1"', b'<xs:elemenu name="ParcelsIn1"')
    with pytest.raises(SchemaError):
        read(body)


@pytest.mark.parametrize("base", ["", "xs:", "xs:nothing", "nothing", ":"])
def test_a_text_needs_a_known_base(base: str) -> None:
    """Simple content of no type, or of one that is not there."""
    table = (
        '<xs:element name="T"><xs:complexType><xs:simpleContent>'
        f'<xs:extension base="{base}"/></xs:simpleContent></xs:complexType></xs:element>'
    )
    with pytest.raises(SchemaError):
        read(reply(table, "<T>1</T>"))


def test_rows_outside_of_a_diffgram_must_be_known_tables() -> None:
    """A DiffGram in a wrong namespace must not pass as a table without rows."""
    with pytest.raises(NotADataSetError, match="neither a DiffGram nor a table"):
        read(_BODY.replace(b"xml-diffgram-v1", b"xml-diffgram-v2"))
    for place in (b"</NewDataSet>", b"<NewDataSet", b"</diffgr:diffgram>"):
        with pytest.raises(NotADataSetError, match="text between rows"):
            read(_BODY.replace(place, b"lost" + place))


@pytest.mark.parametrize("namespace", ["{a}b", "a}b", "}", "{"])
def test_braces_in_a_namespace(namespace: str) -> None:
    """A URI may be any text: tables or a typed error, for a root, a row, a cell and an error of a row."""
    for body in (
        f'<DataSet xmlns="{namespace}"><T><a>1</a></T></DataSet>'.encode(),
        f'<x xmlns="{namespace}"/>'.encode(),
        reply("", f'<T xmlns="{namespace}"><a>1</a></T>'),
        reply(
            element_table("T", column("a")),
            '<T diffgr:id="T1" diffgr:hasErrors="true"/>',
            after=f'<diffgr:errors><T diffgr:id="T1"><a xmlns="{namespace}"/></T></diffgr:errors>',
        ),
    ):
        with suppress(DataSetError):
            read(body)


@pytest.mark.parametrize("name", [b"", b" ", b"\t\n", b" a", b"/"])
def test_rows_in_an_element_without_a_name(name: bytes) -> None:
    """The shortcut guesses where rows are before any parser says that this is XML."""
    body = b"<DataSet><diffgr:diffgram x=''><" + name + b">" + b" " * 100_000
    with pytest.raises(NotADataSetError):
        read(body)
    batch = read_many([_BODY, body, _BODY])
    assert [number for number, _ in batch.failures] == [1]


def test_limits_must_be_positive() -> None:
    """A limit of nothing is a mistake."""
    with pytest.raises(ValueError, match="rows"):
        Limits(rows=0)


def _chained(kind: str, link: str, last: str, used: str) -> bytes:
    """A table whose columns are behind 3,000 definitions, each of which needs the next one."""
    links = "".join(
        f'<xs:{kind} name="G{n}">{link.replace("NEXT", f"G{n + 1}")}</xs:{kind}>'
        for n in range(3000)
    )
    schema = (
        f'<xs:schema xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema">{links}'
        f'<xs:{kind} name="G3000">{last}</xs:{kind}></xs:schema>'
    )
    return reply(used, "", schemas=schema)


_GROUPS = {
    "attributeGroup": ('<xs:attributeGroup ref="NEXT"/>', '<xs:attribute name="A" type="xs:int"/>'),
    "group": ('<xs:group ref="NEXT"/>', '<xs:element name="A" type="xs:int"/>'),
}


@pytest.mark.parametrize(
    "body",
    [
        *(
            _chained(
                kind,
                link if kind == "attributeGroup" else f"<xs:sequence>{link}</xs:sequence>",
                last if kind == "attributeGroup" else f"<xs:sequence>{last}</xs:sequence>",
                f'<xs:element name="T"><xs:complexType><xs:{kind} ref="G0"/></xs:complexType></xs:element>',
            )
            for kind, (link, last) in _GROUPS.items()
        ),
        _chained(
            "simpleType",
            '<xs:restriction base="NEXT"/>',
            '<xs:restriction base="xs:int"/>',
            element_table("T", '<xs:element name="A" type="G0"/>'),
        ),
        _chained(
            "complexType",
            '<xs:complexContent><xs:extension base="NEXT"/></xs:complexContent>',
            "<xs:sequence/>",
            '<xs:element name="T" type="G0"/>',
        ),
    ],
    ids=["attribute groups", "groups", "simple types", "complex types"],
)
def test_long_chains_of_definitions(body: bytes) -> None:
    """An error of the schema, which costs a batch no other reply."""
    with pytest.raises(SchemaError, match="too deeply"):
        read(body)
    batch = read_many([body, _BODY])
    assert [place for place, _ in batch.failures] == [0]
    assert len(batch.groups) == 1


@pytest.mark.parametrize("kind", _GROUPS)
def test_groups_that_double(kind: str) -> None:
    """Forty groups, each with the next one twice, would be a million million columns of one name."""
    link, last = _GROUPS[kind]
    around = "{}" if kind == "attributeGroup" else "<xs:sequence>{}</xs:sequence>"
    groups = "".join(
        f'<xs:{kind} name="G{n}">{around.replace("{}", 2 * link.replace("NEXT", f"G{n + 1}"))}</xs:{kind}>'
        for n in range(40)
    )
    schema = (
        f'<xs:schema xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema">{groups}'
        f'<xs:{kind} name="G40">{around.replace("{}", last)}</xs:{kind}></xs:schema>'
    )
    used = (
        f'<xs:element name="T"><xs:complexType><xs:{kind} ref="G0"/></xs:complexType></xs:element>'
    )
    (table,) = read(reply(used, "", schemas=schema)).tables
    assert [found.name for found in table.columns] == ["A"]


def test_many_row_errors_take_linear_time() -> None:
    """A hundred thousand took 18 seconds, most of them in moving elements about."""
    errors = '<T diffgr:id="x" diffgr:Error="e" xmlns=""/>' * 50_000
    body = reply(
        element_table("T", column("A")), "", after=f"<diffgr:errors>{errors}</diffgr:errors>"
    )
    started = time.process_time()
    (table,) = read(body).tables
    assert len(table.errors) == 50_000
    assert time.process_time() - started < 2
