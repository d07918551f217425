"""Hand-made replies: a schema's columns and a DiffGram's rows, spelled as .NET spells them."""

__all__ = ["column", "element_table", "one_value", "reply"]

_HEAD = (
    '<xs:schema id="NewDataSet" xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
    'xmlns:msdata="urn:schemas-microsoft-com:xml-msdata">'
    '<xs:element name="NewDataSet" msdata:IsDataSet="true" msdata:UseCurrentLocale="true">'
    '<xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">'
)
_MIDDLE = "</xs:choice></xs:complexType>"
_TAIL = "</xs:element></xs:schema>"
_DIFFGRAM = (
    '<diffgr:diffgram xmlns:msdata="urn:schemas-microsoft-com:xml-msdata" '
    'xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1">'
)
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def column(name: str, xsd_type: str = "string", more: str = "") -> str:
    """Return the declaration of a column."""
    return f'<xs:element name="{name}" type="xs:{xsd_type}" minOccurs="0" {more}/>'


def element_table(name: str, *columns: str) -> str:
    """Return the declaration of a table."""
    inside = "".join(columns)
    return (
        f'<xs:element name="{name}"><xs:complexType><xs:sequence>{inside}'
        "</xs:sequence></xs:complexType></xs:element>"
    )


def reply(tables: str, rows: str, *, keys: str = "", after: str = "", schemas: str = "") -> bytes:
    """Return a GET reply; `after` stands beside the rows, `schemas` beside the main schema."""
    return (
        f'<DataSet xmlns="https://os.ecgrid.io/" {_XSI}>{_HEAD}{tables}{_MIDDLE}{keys}{_TAIL}'
        f'{schemas}{_DIFFGRAM}<NewDataSet xmlns="">{rows}</NewDataSet>{after}'
        "</diffgr:diffgram></DataSet>"
    ).encode()


def one_value(declaration: str, element: str) -> bytes:
    """Return a reply with one table `T`, one column, and one row with the given cell."""
    row = f'<T diffgr:id="T1" msdata:rowOrder="0">{element}</T>'
    return reply(element_table("T", declaration), row)
