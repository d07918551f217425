"""Single values: what .NET accepts is read as .NET reads it, everything else is refused."""

from decimal import Decimal

import pyarrow as pa
import pytest

from pipelines.dataset import DataTable, read
from pipelines.dataset.errors import ValueFormatError
from tests.dataset.made import column, one_value

_SQL = "System.Data.SqlTypes."


def _table(xsd_type: str, text: str, more: str = "") -> DataTable:
    return read(one_value(column("V", xsd_type, more), f"<V>{text}</V>")).tables["T"]


def _typed(net_type: str) -> str:
    return f'msdata:DataType="{net_type}"'


@pytest.mark.parametrize(
    ("xsd_type", "text", "kind", "value"),
    [
        ("int", " 5 ", pa.int32(), 5),
        ("int", "+5", pa.int32(), 5),
        ("int", "007", pa.int32(), 7),
        ("int", "-0", pa.int32(), 0),
        ("int", "\t-2147483648\n", pa.int32(), -(2**31)),
        ("byte", "-128", pa.int8(), -128),
        ("unsignedByte", "255", pa.uint8(), 255),
        ("short", "-32768", pa.int16(), -32768),
        ("unsignedShort", "65535", pa.uint16(), 65535),
        ("unsignedInt", "4294967295", pa.uint32(), 2**32 - 1),
        ("long", "-9223372036854775808", pa.int64(), -(2**63)),
        ("unsignedLong", "18446744073709551615", pa.uint64(), 2**64 - 1),
        ("integer", "5", pa.int64(), 5),
        ("positiveInteger", "5", pa.uint64(), 5),
        ("boolean", " true ", pa.bool_(), True),
        ("boolean", "0", pa.bool_(), False),
        ("double", "INF", pa.float64(), float("inf")),
        ("double", "-INF", pa.float64(), float("-inf")),
        ("double", ".5", pa.float64(), 0.5),
        ("double", "5.", pa.float64(), 5.0),
        ("double", "+1E-2", pa.float64(), 0.01),
        ("float", "3.40282347E+38", pa.float32(), 3.4028234663852886e38),
        ("decimal", " 1.50 ", pa.decimal128(38, 2), Decimal("1.50")),
        ("decimal", "+.5", pa.decimal128(38, 1), Decimal("0.5")),
        ("decimal", "79228162514264337593543950335", pa.decimal128(38, 0), Decimal(2**96 - 1)),
        ("base64Binary", "A Q\nID", pa.binary(), b"\1\2\3"),
        ("base64Binary", "", pa.binary(), b""),
        ("hexBinary", "AQID", pa.binary(), b"\1\2\3"),
        ("anyURI", "http://a/ b", pa.string(), "http://a/ b"),
        ("string", " a ", pa.string(), " a "),
        ("string", "a<!-- c -->b", pa.string(), "ab"),
        ("string", "a<![CDATA[<b>]]>c", pa.string(), "a<b>c"),
        ("string", "a<?p q?>b", pa.string(), "ab"),
        ("string", "a\r\nb\rc", pa.string(), "a\r\nb\rc"),
        ("string", "<![CDATA[a\r\nb]]>", pa.string(), "a\r\nb"),
        ("string", "a&#x1;&#x1f;b", pa.string(), "a\x01\x1fb"),
        ("string", "&#xD;&#10;", pa.string(), "\r\n"),
        ("token", "a", pa.string(), "a"),
        ("gDay", "---15", pa.string(), "---15"),
    ],
)
def test_reads(xsd_type: str, text: str, kind: pa.DataType, value: object) -> None:
    """Exact type and exact value."""
    arrow = _table(xsd_type, text).arrow
    assert arrow["V"].type == kind
    assert arrow["V"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("xsd_type", "text"),
    [
        *(("int", text) for text in ("", "1e3", "5.0", "2147483648", "1,000", "0x10", "\u00a05", "\u0661")),
        *(("unsignedByte", text) for text in ("-0", "+7", "256", "-1")),
        *(("long", text) for text in ("9223372036854775808", "9" * 5000)),
        *(("boolean", text) for text in ("True", "TRUE", "", "yes")),
        *(("double", text) for text in ("+INF", "inf", "nan", "1e999", "1,000.5", "0x1", "", "1_0")),
        *(("float", text) for text in ("3.5e38", "-1e39")),
        *(("decimal", text) for text in ("1e3", "", ".", "79228162514264337593543950336", "1,0")),
        ("decimal", "0.00000000000000000000000000001"),
        *(
            ("dateTime", text)
            for text in (
                "24", "2024-01-15T24:00:00", "0000-01-01T00:00:00", "-0001-01-01T00:00:00",
                "10000-01-01T00:00:00", "2024-01-15 08:30:00", "2024-01-15T08:30",
                "2024-02-30T00:00:00", "2024-01-15T08:30:60", "01/15/2024", "2024-01-15T08:30:00.",
                "2024-01-15T08:30:00.12345678", "2024-01-15T08:30:00+15:00", "08:30:00", "",
            )
        ),
        *(("duration", text) for text in ("P10675200D", "", "P", "PT", "1.02:03:04", "+P1D", "P1W")),
        *(("base64Binary", text) for text in ("AQI", "====", "AQ=I", "A*ID", "AQID=", "AQID====")),
    ],
)  # fmt: skip
def test_refuses(xsd_type: str, text: str) -> None:
    """The error says table, row, column, value and what was expected."""
    with pytest.raises(ValueFormatError) as caught:
        _table(xsd_type, text)
    error = caught.value
    assert (error.table, error.row, error.column, error.value) == ("T", 0, "V", text)
    assert error.expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-15T08:30:00-05:00", "2024-01-15 08:30:00"),
        ("2024-01-15T08:30:00Z", "2024-01-15 08:30:00"),
        ("2024-01-15T08:30:00.1234560", "2024-01-15 08:30:00.123456"),
        ("2024-01-15", "2024-01-15 00:00:00"),
        ("2024-01", "2024-01-01 00:00:00"),
        ("2024", "2024-01-01 00:00:00"),
        (" 0001-01-01T00:00:00 ", "0001-01-01 00:00:00"),
        ("9999-12-31T23:59:59.999999", "9999-12-31 23:59:59.999999"),
    ],
)
def test_date_times_are_wall_clock(text: str, value: str) -> None:
    """A column of the default mode has no zone; the one that was written is kept beside it."""
    table = _table("dateTime", text)
    assert table.arrow["V"].type == pa.timestamp("us")
    assert str(table.arrow["V"][0].as_py()) == value
    zone = text.strip()[-6:]
    assert table.offsets.get("V", ()) == (
        (zone,) if zone == "-05:00" else ("+00:00",) if text.endswith("Z") else ()
    )


@pytest.mark.parametrize(
    ("mode", "text", "kind", "value"),
    [
        ("Utc", "2024-01-15T08:30:00Z", pa.timestamp("us", "UTC"), 1705307400_000000),
        ("Utc", "2024-01-15T08:30:00", pa.timestamp("us", "UTC"), 1705307400_000000),
        ("Utc", "2024-01-15T10:30:00+02:00", pa.timestamp("us", "UTC"), 1705307400_000000),
        ("Unspecified", "2024-01-15T08:30:00", pa.timestamp("us"), 1705307400_000000),
        ("Utc", "2024-01-15T08:30:00.0000001Z", pa.timestamp("ns", "UTC"), 1705307400_000000100),
    ],
)
def test_date_time_modes(mode: str, text: str, kind: pa.DataType, value: int) -> None:
    """Mode and decimals decide zone and unit."""
    values = _table("dateTime", text, f'msdata:DateTimeMode="{mode}"').arrow["V"]
    assert values.type == kind
    assert values.cast(pa.int64()).to_pylist() == [value]


@pytest.mark.parametrize(
    ("xsd_type", "more"),
    [
        ("dateTime", 'msdata:DateTimeMode="Local"'),
        ("anyType", _typed("System.DateTimeOffset")),
    ],
)
def test_offsets_are_kept_where_they_are_part_of_the_value(xsd_type: str, more: str) -> None:
    """A moment in UTC, and the minutes."""
    values = _table(xsd_type, "2024-01-15T08:30:00.5-05:00", more).arrow["V"]
    assert values.type.field("timestamp").type == pa.timestamp("us", "UTC")
    (value,) = values.to_pylist()
    assert value["timestamp"].isoformat() == "2024-01-15T13:30:00.500000+00:00"
    assert value["offset_minutes"] == -300
    with pytest.raises(ValueFormatError, match="with its offset"):
        _table(xsd_type, "2024-01-15T08:30:00", more)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:30", "9999-12-31T23:59:59-05:00"])
@pytest.mark.parametrize(
    ("xsd_type", "more"),
    [("dateTime", 'msdata:DateTimeMode="Local"'), ("anyType", _typed("System.DateTimeOffset"))],
)
def test_a_moment_beyond_the_calendar_stays_text(xsd_type: str, more: str, text: str) -> None:
    """DateTime.MinValue east of Greenwich lies in the year 0 of UTC, which Python could not show."""
    table = _table(xsd_type, text, more)
    assert table.arrow["V"].to_pylist() == [f"{text[:19]}.0000000{text[19:]}"]
    assert text[:19] in repr(table.pandas())


def test_what_no_arrow_unit_holds_stays_text() -> None:
    """Year 9999 with seven decimals: microseconds lose one, nanoseconds end in 2262."""
    (value,) = _table("dateTime", "9999-12-31T23:59:59.9999999").arrow["V"].to_pylist()
    assert value == "9999-12-31T23:59:59.9999999"
    (span,) = _table("duration", "P10675199DT2H48M5.4775807S").arrow["V"].to_pylist()
    assert span == "P10675199DT2H48M5.4775807S"


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("P1Y2M3DT4H5M6.7S", 36993906_700000),
        ("-P1D", -86400_000000),
        (" PT36H ", 129600_000000),
        ("P10675199D", 10675199 * 86400_000000),
        ("PT1.S", 1_000000),
    ],
)
def test_durations(text: str, microseconds: int) -> None:
    """A year is 365 days and a month 30, as .NET has it."""
    values = _table("duration", text).arrow["V"]
    assert values.type == pa.duration("us")
    assert values.cast(pa.int64()).to_pylist() == [microseconds]


def test_time_of_day() -> None:
    """`xs:time` is a time, not today."""
    values = _table("time", "08:30:00.5").arrow["V"]
    assert values.type == pa.time64("ns")
    assert str(values.to_pylist()[0]) == "08:30:00.500000"


@pytest.mark.parametrize(
    ("net_type", "xsd_type", "text", "kind", "value"),
    [
        ("System.Guid, mscorlib, Version=4.0.0.0", "string", "{01234567-89AB-CDEF-0123-456789ABCDEF}",
         pa.string(), "01234567-89ab-cdef-0123-456789abcdef"),
        ("System.Numerics.BigInteger", "anyType", "-" + "9" * 38, pa.decimal128(38, 0), -(10**38 - 1)),
        ("System.Numerics.BigInteger", "anyType", "9" * 60, pa.decimal256(76, 0), 10**60 - 1),
        ("System.Numerics.BigInteger", "anyType", "9" * 90, pa.string(), "9" * 90),
        (_SQL + "SqlInt16", "short", "-3", pa.int16(), -3),
        (_SQL + "SqlBoolean", "boolean", "1", pa.bool_(), True),
        (_SQL + "SqlBinary", "hexBinary", "AQID", pa.binary(), b"\1\2\3"),
        (_SQL + "SqlMoney", "decimal", "1.5000", pa.decimal128(38, 4), Decimal("1.5000")),
        (_SQL + "SqlDecimal", "decimal", "9" * 38, pa.decimal128(38, 0), Decimal("9" * 38)),
        (_SQL + "SqlString", "string", "&amp;lt;a&amp;gt; &amp;amp;", pa.string(), "<a> &"),
        (_SQL + "SqlXml", "anyType", "\n <a b='1'>x</a>\n", pa.string(), '<a b="1">x</a>'),
        ("Some.Type, Some", "string", "anything", pa.string(), "anything"),
    ],
)  # fmt: skip
def test_the_type_in_msdata_wins(
    net_type: str, xsd_type: str, text: str, kind: pa.DataType, value: object
) -> None:
    """`msdata:DataType` is looked up in a fixed table; what is not there stays text."""
    table = _table(xsd_type, text, _typed(net_type))
    assert table.columns[0].type == net_type.partition(",")[0]
    assert table.arrow["V"].type == kind
    found = table.arrow["V"].to_pylist()[0]
    assert (int(found) if isinstance(value, int) and kind != pa.bool_() else found) == value


def test_char_is_a_string_of_length_one() -> None:
    """An unnamed type of length 1; a space is a character too."""
    restricted = (
        '<xs:element name="V" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string">'
        '<xs:length value="1"/></xs:restriction></xs:simpleType></xs:element>'
    )
    table = read(one_value(restricted, '<V xml:space="preserve"> </V>')).tables["T"]
    assert (table.columns[0].type, table.arrow["V"].to_pylist()) == ("System.Char", [" "])
    for text in ("xy", "", "\U0001f600"):
        with pytest.raises(ValueFormatError):
            read(one_value(restricted, f"<V>{text}</V>"))


@pytest.mark.parametrize(
    ("attributes", "text", "net_type", "value"),
    [
        ('xsi:type="xs:int"', "7", "System.Int32", "7"),
        ('xsi:type="xs:decimal"', "1.50", "System.Decimal", "1.50"),
        ('xsi:type="xs:duration"', "P1D", "System.TimeSpan", "P1D"),
        ('msdata:InstanceType="System.Guid"', "01234567-89ab-cdef-0123-456789abcdef", "System.Guid",
         "01234567-89ab-cdef-0123-456789abcdef"),
        ("", "plain", "System.String", "plain"),
        ('xsi:type="xs:string"', "", "System.String", ""),
        ('xsi:type="xs:anyType"', "1", "System.Object", "1"),
    ],
)  # fmt: skip
def test_object_values_bring_their_type(
    attributes: str, text: str, net_type: str, value: str
) -> None:
    """Type and text, because rows may differ."""
    xs = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    body = one_value(column("V", "anyType"), f"<V {attributes} {xs}>{text}</V>")
    assert read(body).tables["T"].arrow["V"].to_pylist() == [{"type": net_type, "value": value}]


@pytest.mark.parametrize("net_type", ["SqlString", "SqlChars"])
def test_white_space_alone_is_nothing_in_sql_strings(net_type: str) -> None:
    """As .NET reads them, unless xml:space keeps it; it stays in any other string."""
    more = _typed(_SQL + net_type)
    assert _table("string", " \n", more).arrow["V"].to_pylist() == [""]
    assert _table("string", " x ", more).arrow["V"].to_pylist() == [" x "]
    kept = one_value(column("V", "string", more), '<V xml:space="preserve"> </V>')
    assert read(kept).tables["T"].arrow["V"].to_pylist() == [" "]


def test_a_blank_may_be_a_character_in_an_object_column() -> None:
    """.NET writes it and cannot read it."""
    cell = '<V msdata:InstanceType="System.Char"> </V>'
    (value,) = read(one_value(column("V", "anyType"), cell)).tables["T"].arrow["V"].to_pylist()
    assert value == {"type": "System.Char", "value": " "}


def test_an_object_value_must_fit_its_own_type() -> None:
    """An int that is none is refused like any other."""
    body = one_value(
        column("V", "anyType"),
        '<V xsi:type="xs:int" xmlns:xs="http://www.w3.org/2001/XMLSchema">x</V>',
    )
    with pytest.raises(ValueFormatError, match="Int32"):
        read(body)


def test_decimals_of_any_size_share_a_column() -> None:
    """29 whole digits and 28 decimals need more than 38 digits."""
    texts = ["79228162514264337593543950335", "0.0000000000000000000000000001", "-2.5"]
    rows = "".join(f"<T><V>{text}</V></T>" for text in texts)
    body = one_value(column("V", "decimal"), "").replace(
        b'<T diffgr:id="T1" msdata:rowOrder="0"></T>', rows.encode()
    )
    values = read(body).tables["T"].arrow["V"]
    assert values.type == pa.decimal256(76, 28)
    assert values.to_pylist() == [Decimal(text) for text in texts]
