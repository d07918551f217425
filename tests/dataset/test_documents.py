"""Where a DataSet may stand, and in which encodings."""

import copy
from xml.sax.saxutils import escape

import pytest

from pipelines.dataset import DataSet, read, read_many
from pipelines.dataset.errors import DataSetError, NotADataSetError, ValueFormatError
from tests.dataset.samples import body_of

_SOAP = body_of("documented", "soap11")[0]
_GET = body_of("documented", "get")[0]


def _counts(dataset: DataSet) -> list[object]:
    return list(dataset.tables["Table"].arrow.slice(0, 1).to_pylist()[0].values())


@pytest.mark.parametrize(
    "body",
    [
        _SOAP,
        _GET,
        b"\xef\xbb\xbf" + _SOAP,
        _SOAP.replace(b"soap:", b"env:").replace(b"xmlns:soap", b"xmlns:env"),
        _SOAP.replace(b"diffgr:", b"d:").replace(b"xmlns:diffgr", b"xmlns:d"),
        _SOAP.replace(b"https://os.ecgrid.io/", b"http://www.ecgridos.net/"),
        _SOAP.replace(b"><", b">\r\n<"),
        _SOAP.replace(b"<soap:Body>", b"<soap:Header><x xmlns='u'/></soap:Header><soap:Body>"),
        _SOAP.replace(b"104", b"<![CDATA[104]]>").replace(b"<Table ", b"<!-- c --><?p q?><Table "),
        _SOAP.replace(b"104", b"1<!-- c -->04").replace(b"129", b"&#49;&#x32;9"),
        _SOAP.replace(b"'", b'"').replace(b'encoding="utf-8"', b"encoding='UTF-8'"),
        _GET[_GET.index(b"<DataSet") :],
        _SOAP[_SOAP.index(b"<ReportInstantStatsResponse") : _SOAP.index(b"</soap:Body>")],
        _GET.replace(b"\n", b"\r\n"),
    ],
)
def test_the_same_dataset_in_any_clothes(body: bytes) -> None:
    """Prefixes, namespaces, white space, comments and CDATA change nothing."""
    assert _counts(read(body)) == [104, 100, 129, 65, 417, 401, 517, 261]


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "cp1252"]
)
def test_declared_encodings(codec: str) -> None:
    """By byte order mark, by declaration, or by the shape of the bytes."""
    declared = codec.replace("cp1252", "windows-1252")
    text = body_of("direction-rows", "soap11")[0].decode().replace(">In<", ">é<")
    text = text.replace('encoding="utf-8"', f'encoding="{declared}"')
    (values,) = read(text.encode(codec)).tables["Table"].arrow.select(["Direction"]).columns
    assert values.to_pylist() == ["é", "Out", "é", "Out"]


def test_the_charset_of_the_header_wins() -> None:
    """As HTTP has it; one that is not known does not."""
    body = body_of("direction-rows", "soap11")[0].replace(b">In<", b">\xe9<")
    for charset in ("iso-8859-1", '"windows-1252"'):
        table = read(body, f"text/xml; charset={charset}").tables[0]
        assert table.arrow["Direction"][0].as_py() == "é"
    for kind in ("text/xml; charset=x-unheard-of", "text/xml", None):
        with pytest.raises(NotADataSetError):
            read(body, kind)


@pytest.mark.parametrize(
    ("written", "declared", "charset"),
    [
        ("utf-8", "utf-8", "iso-8859-1"),
        ("utf-8", None, "windows-1252"),
        ("utf-8", "utf-8", "shift_jis"),
        ("utf-8", "iso-8859-1", "utf-8"),
        ("utf-8", "utf-8", "utf-16"),
        ("utf-8", "utf-16", "utf-8"),
        ("utf-16", "utf-16", "utf-8"),
        ("utf-16-le", "utf-16", "iso-8859-1"),
        ("iso-8859-1", "iso-8859-1", "utf-8"),
        ("iso-8859-1", "utf-8", "iso-8859-1"),
        ("windows-1252", "windows-1252", "us-ascii"),
        ("windows-1252", "iso-8859-1", "windows-1252"),
    ],
)
@pytest.mark.parametrize("rows", [1, 2_000])
def test_header_and_declaration_may_contradict(
    written: str, declared: str | None, charset: str, rows: int
) -> None:
    """What is valid UTF-8 is UTF-8 if either says so; never is a letter read as two others."""
    text = body_of("direction-rows", "soap11")[0].decode()
    text = text.replace(' encoding="utf-8"', f' encoding="{declared}"' if declared else "")
    start, end = text.index("<Table "), text.index("</NewDataSet>")
    some = text[start:end].replace(">In<", ">caf\u00e9<") * rows
    body = (text[:start] + some + text[end:]).encode(written)
    kind = f"text/xml; charset={charset}"
    assert set(read(body, kind).tables[0].arrow["Direction"].to_pylist()) == {"caf\u00e9", "Out"}
    batch = read_many([body, body], [kind, kind])
    assert set(batch.groups[0].tables[0].arrow["Direction"].to_pylist()) == {"caf\u00e9", "Out"}


@pytest.mark.parametrize("encoding", ["rot13", "zlib", "idna", "x-unheard-of", "utf-7"])
def test_other_encodings_are_refused(encoding: str) -> None:
    """Python knows some that are compressions, or take quadratic time."""
    body = _SOAP.replace(b'encoding="utf-8"', f'encoding="{encoding}"'.encode())
    with pytest.raises(NotADataSetError, match=encoding):
        read(body)


_ENVELOPE = _SOAP[: _SOAP.index(b"<ReportInstantStatsResponse")] + b"%s</soap:Body></soap:Envelope>"


@pytest.mark.parametrize(
    "body",
    [
        _ENVELOPE % b'<ReportInstantStatsResponse xmlns="https://os.ecgrid.io/" />',
        _ENVELOPE % b'<R xmlns="u"><RResult xsi:nil="true" /></R>',
        b'<DataSet xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" />',
    ],
)
def test_null(body: bytes) -> None:
    """No result, or a nil one."""
    dataset = read(body)
    assert dataset.is_null
    assert len(dataset.tables) == 0


def test_a_dataset_without_tables_is_not_null() -> None:
    """An empty choice and an empty diffgram."""
    body = body_of("zero-rows", "soap11")[0]
    start, end = body.index(b'<xs:element name="Table">'), body.index(b"</xs:choice>")
    dataset = read(body[:start] + body[end:])
    assert (dataset.is_null, len(dataset.tables), dataset.name) == (False, 0, "NewDataSet")


@pytest.mark.parametrize(
    "body",
    [
        _SOAP[: _SOAP.index(b"<xs:schema")] + _SOAP[_SOAP.index(b"<diffgr:diffgram") :],
        b"<DataSet><Table><A>1</A><B/></Table><Table><A>2</A></Table></DataSet>",
        _ENVELOPE % b"<R><RResult><DataSet><T><A>1</A></T></DataSet></RResult></R>",
        _ENVELOPE % b"<R><RResult><T><A>1</A></T></RResult></R>",
    ],
)
def test_without_a_schema_all_is_text(body: bytes) -> None:
    """Kept as strings, and flagged."""
    (table,) = read(body).tables
    assert not table.declared
    assert not any(column.declared for column in table.columns)
    assert isinstance(table.arrow.column(0)[0].as_py(), str)


def test_rows_beside_the_schema_are_new() -> None:
    """WriteXml with its schema: no DiffGram, so .NET takes the rows for added ones."""
    schema = _SOAP[_SOAP.index(b"<xs:schema") : _SOAP.index(b"<diffgr:")]
    body = b"<NewDataSet>" + schema + b"<Table><ParcelsIn1>5</ParcelsIn1></Table></NewDataSet>"
    (table,) = read(body).tables
    assert table.arrow["ParcelsIn1"].to_pylist() == [5]
    assert table.states.to_pylist() == ["inserted"]


@pytest.mark.parametrize(
    "payload",
    [
        b"<VersionResponse><VersionResult>4.1</VersionResult></VersionResponse>",
        b"<R>text</R>",
        b"<WhoAmIResponse><WhoAmIResult><UserID>5</UserID></WhoAmIResult></WhoAmIResponse>",
        b"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>no</faultstring></soap:Fault>",
        b"",
    ],
)
def test_another_answer_is_no_dataset(payload: bytes) -> None:
    """A Fault, another operation's result, nothing."""
    with pytest.raises(NotADataSetError):
        read(_ENVELOPE % payload)


_DIFFGRAM = _SOAP[_SOAP.index(b"<diffgr:diffgram") : _SOAP.index(b"</ReportInstantStatsResult>")]


@pytest.mark.parametrize(
    "body",
    [
        _SOAP.replace(b"<soap:Body>", b"<soap:Body><Table/>"),
        _SOAP.replace(b"</soap:Body>", b"<Table/></soap:Body>"),
        _SOAP.replace(b"<soap:Body>", b"<soap:Body/><soap:Body>"),
        _SOAP.replace(b"<soap:Body>", b"<soap:Body><R/></soap:Body><soap:Body>"),
        _GET.replace(b"</DataSet>", _GET[_GET.index(b"<DataSet") :] + b"</DataSet>"),
        _SOAP.replace(b"</diffgr:diffgram>", b"</diffgr:diffgram><Table/>"),
        _SOAP.replace(b"</diffgr:diffgram>", b"</diffgr:diffgram>" + _DIFFGRAM),
        _SOAP.replace(
            b"</ReportInstantStatsResponse>",
            _SOAP[
                _SOAP.index(b"<ReportInstantStatsResult>") : _SOAP.index(b"</ReportInstantStatsRes")
            ]
            + b"</ReportInstantStatsResult></ReportInstantStatsResponse>",
        ),
    ],
)
def test_a_second_answer_is_not_overlooked(body: bytes) -> None:
    """One Body, one answer, one DataSet."""
    with pytest.raises(NotADataSetError):
        read(body)


@pytest.mark.parametrize(
    "result",
    [
        # As the vendor's pages print it: placeholders.
        b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">schema</xs:schema>xml',
        b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">schema</xs:schema>',
        b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>xml',
        b'xml<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>',
        b'<d:diffgram xmlns:d="urn:schemas-microsoft-com:xml-diffgram-v1"/>xml',
    ],
)
def test_text_in_place_of_data_is_no_empty_dataset(result: bytes) -> None:
    """Nothing that was sent goes missing in silence."""
    with pytest.raises(DataSetError, match="text"):
        read(_ENVELOPE % (b"<R><RResult>" + result + b"</RResult></R>"))


def test_any_kind_of_bytes_will_do() -> None:
    """Copied only where they could change; text is refused: its encoding is gone."""
    for body in (bytearray(_SOAP), memoryview(_SOAP)):
        assert _counts(read(body)) == _counts(read(_SOAP))
        assert len(read_many([body, body]).groups[0].replies) == 2
    with pytest.raises(TypeError, match="encoding"):
        read(_SOAP.decode())


def test_an_error_survives_the_way_between_processes() -> None:
    """With all its facts: a copy is made the way it is pickled."""
    with pytest.raises(ValueFormatError) as caught:
        read(_SOAP.replace(b">104<", b">ten<"))
    again = copy.copy(caught.value)
    assert (str(again), again.value, again.row) == (str(caught.value), "ten", 0)


def test_a_fault_says_why() -> None:
    """Its text is in the error."""
    with pytest.raises(NotADataSetError, match="Access Denied"):
        read(_ENVELOPE % b"<soap:Fault><faultstring>Access Denied</faultstring></soap:Fault>")


_SPACE = "My Company <gr\u00f6\u00dfe> & 'x'"
_IN_SPACE = (
    _GET.replace(b'id="NewDataSet"', b'id="NewDataSet" targetNamespace="%(ns)s"')
    .replace(b"<xs:schema ", b'<xs:schema elementFormDefault="qualified" ')
    .replace(b'<NewDataSet xmlns=""', b'<NewDataSet xmlns="%(ns)s"')
)
_WRITTEN = b"My Company &lt;gr\xc3\xb6\xc3\x9fe&gt; &amp; 'x'"


def test_a_namespace_may_be_no_uri() -> None:
    """.NET allows it; it is read as any other, alone and among others."""
    body = _IN_SPACE % {b"ns": _WRITTEN}
    (table,) = read(body).tables
    assert (table.namespace, table.columns[0].namespace) == (_SPACE, _SPACE)
    assert table.columns[0].tag == f"{{{_SPACE}}}ParcelsIn1"
    assert _counts(read(body)) == [104, 100, 129, 65, 417, 401, 517, 261]
    batch = read_many([body, _GET, body])
    assert sorted(group.replies.tolist() for group in batch.groups) == [[0, 2], [1]]
    assert batch.groups[0].tables[0].namespace == _SPACE


def test_a_namespace_that_is_no_uri_changes_no_value() -> None:
    """Text and attributes that look like declarations stay what they are."""
    text = "<a xmlns='x y' namespace=\"a &amp; b\">"
    body = _IN_SPACE % {b"ns": _WRITTEN}
    cell = b"<Extra>" + escape(text).encode() + b"</Extra></Table>"
    body = body.replace(b"</Table>", cell).replace(b"<Table ", b'<Table namespace="a&#x1;b" ')
    (row,) = read(body).tables[0].arrow.to_pylist()
    assert (row["Extra"], row["namespace"]) == (text, "a\x01b")
    with pytest.raises(NotADataSetError, match="namespace that cannot be read"):
        read(body.replace(b">104<", b"><![CDATA[104]]><"))
    with pytest.raises(NotADataSetError, match="well-formed"):
        read(body.replace(b"</Table>", b"</Tabel>"))
