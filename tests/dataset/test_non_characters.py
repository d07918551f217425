"""References that XML 1.0 forbids and an ASMX client reads."""

import pytest

from pipelines.dataset import RowError, read, read_many

REPLY = (
    '<DataSet><xs:schema id="D" xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
    'xmlns:msdata="urn:schemas-microsoft-com:xml-msdata"><xs:element name="D" msdata:IsDataSet="true">'
    '<xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="T"><xs:complexType>'
    '<xs:sequence><xs:element name="A" type="xs:string" minOccurs="0" /></xs:sequence></xs:complexType>'
    "</xs:element></xs:choice></xs:complexType></xs:element></xs:schema>"
    '<diffgr:diffgram xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1" '
    'xmlns:msdata="urn:schemas-microsoft-com:xml-msdata"><D xmlns=""><T diffgr:id="T1" msdata:rowOrder="0">'
    "<A>{}</A></T></D></diffgr:diffgram></DataSet>"
)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("&#xFFFE;", "\ufffe"),
        ("a&#xffff;b", "a\uffffb"),
        ("&#65534;&#65535;", "\ufffe\uffff"),
        ("&#x1;&#x1F;&#xFFFE;", "\x01\x1f\ufffe"),
    ],
)
def test_forbidden_references(written: str, value: str) -> None:
    """The value is the character that was meant, whichever way the reference is written."""
    (table,) = read(REPLY.replace("{}", written).encode()).tables
    assert table.arrow["A"].to_pylist() == [value]


PRIVATE = "\U000f0001"


@pytest.mark.parametrize("beside", [PRIVATE, "&#xF0001;", "&#983041;"])
def test_private_characters_beside_forbidden_references(beside: str) -> None:
    """No character of the document's own is taken for one that stood for another; both doors agree."""
    body = REPLY.replace("{}", f"&#x1;{beside}").encode()
    (table,) = read(body).tables
    assert table.arrow["A"].to_pylist() == ["\x01" + PRIVATE]
    (group,) = read_many([body]).groups
    assert group.tables[0].arrow["A"].to_pylist() == ["\x01" + PRIVATE]


def test_forbidden_references_in_the_schema_and_in_errors() -> None:
    """Captions, extended properties, defaults and the texts of row errors are read as values are."""
    facts = (
        'msdata:Caption="&#xB;" default="&#x1;" msprop:p="&#x1F;" '
        'xmlns:msprop="urn:schemas-microsoft-com:xml-msprop"'
    )
    errors = (
        '<diffgr:errors><T diffgr:id="T1" diffgr:Error="&#x2;" xmlns=""><A diffgr:Error="&#x3;"/></T>'
        "</diffgr:errors></diffgr:diffgram>"
    )
    body = (
        REPLY.replace('name="A"', f'name="A" {facts}')
        .replace("msdata:rowOrder", 'diffgr:hasErrors="true" msdata:rowOrder')
        .replace("</diffgr:diffgram>", errors)
        .encode()
    )
    (table,) = read(body).tables
    (column,) = table.columns
    assert (column.caption, column.default) == ("\x0b", "\x01")
    assert column.extended_properties == {"p": "\x1f"}
    assert table.errors == (RowError(0, None, "\x02"), RowError(0, "A", "\x03"))
    (group,) = read_many([body]).groups
    assert group.tables[0].schema == table.schema
