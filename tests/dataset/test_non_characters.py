"""References that XML 1.0 forbids and an ASMX client reads."""

import pytest

from pipelines.dataset import read

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
