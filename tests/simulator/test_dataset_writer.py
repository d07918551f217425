"""Names, columns and values beyond the samples: what a real System.Data was seen to write."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.simulator.dataset_writer import (
    Column,
    DataSet,
    DateTimeMode,
    Mapping,
    NetType,
    Row,
    RowState,
    Table,
    Value,
    Variant,
    encode_local_name,
)
from tests.simulator.written import cell, one, written

INT = NetType.INT32


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("ParcelsIn1", "ParcelsIn1"),
        ("a b", "a_x0020_b"),
        ("1st", "_x0031_st"),
        ("_x0020_", "_x005F_x0020_"),
        ("_X0041_", "_x005F_X0041_"),
        ("_x0001F600_", "_x005F_x0001F600_"),
        ("__x0020_", "__x005F_x0020_"),
        ("_x", "_x"),
        ("_xzzzz_", "_xzzzz_"),
        ("x:y", "x_x003A_y"),
        ("\U0001f600", "_x0001F600_"),
        ("naïve", "naïve"),
        ("a·b", "a·b"),
        ("·a", "_x00B7_a"),
        ("\u1e9c", "_x1E9C_"),
        ("\u0660", "_x0660_"),
        ("", ""),
    ],
)
def test_names_are_encoded_as_xmlconvert_does(name: str, encoded: str) -> None:
    """Escapes are upper-case hex; a literal escape is escaped itself."""
    assert encode_local_name(name) == encoded


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (NetType.DOUBLE, 1e22, "1E+22"),
        (NetType.DOUBLE, 1e15, "1E+15"),
        (NetType.DOUBLE, 1e-5, "1E-05"),
        (NetType.DOUBLE, 0.0001, "0.0001"),
        (NetType.DOUBLE, 1 / 3, "0.33333333333333331"),
        (NetType.DOUBLE, 123456789012345678.0, "1.2345678901234568E+17"),
        (NetType.DOUBLE, float("nan"), "NaN"),
        (NetType.DOUBLE, float("-inf"), "-INF"),
        (NetType.DOUBLE, -0.0, "0"),
        (NetType.SINGLE, 3.4028234663852886e38, "3.40282347E+38"),
        (NetType.SINGLE, 1e7, "1E+07"),
        (NetType.SINGLE, 16777216.0, "16777216"),
        (NetType.SINGLE, 1 / 3, "0.333333343"),
        (NetType.DECIMAL, Decimal("1.00"), "1.00"),
        (NetType.DECIMAL, Decimal("-0.0"), "0.0"),
        (NetType.DECIMAL, Decimal("1E+10"), "10000000000"),
        (NetType.TIMESPAN, timedelta(0), "PT0S"),
        (NetType.TIMESPAN, -(2**63), "-P10675199DT2H48M5.4775808S"),
        (NetType.TIMESPAN, 1, "PT0.0000001S"),
        (NetType.TIMESPAN, timedelta(days=2), "P2D"),
        (NetType.DATETIMEOFFSET, (638400000000000000, -330), "2024-01-04T21:20:00-05:30"),
        (NetType.DATETIMEOFFSET, datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00Z"),
        (NetType.BIGINTEGER, 10**30, "1" + "0" * 30),
        (NetType.SQL_BINARY, b"\1\2\3", "AQID"),
        (NetType.SQL_MONEY, Decimal("1.5"), "1.5000"),
        (NetType.SQL_DATETIME, 638400000000000000, "2024-01-04T21:20:00.000"),
        (NetType.SQL_STRING, "<a>", "&amp;lt;a&amp;gt;"),
        (NetType.STRING, "\x01", "&#x1;"),
        (NetType.STRING, "a\rb\tc", "a\rb\tc"),
        (NetType.STRING, "]]>", "]]&gt;"),
    ],
)
def test_values_are_printed_as_dotnet_does(kind: NetType, value: Value, text: str) -> None:
    """Each type has its own spelling."""
    assert cell(kind, value) == f"<c>{text}</c>"


@pytest.mark.parametrize("text", [" ", "\t\n", "\u3000", "\u00a0"])
def test_blank_strings_are_preserved(text: str) -> None:
    """Only a string of nothing but white space carries xml:space."""
    assert cell(NetType.STRING, text) == f'<c xml:space="preserve">{text}</c>'


@pytest.mark.parametrize("kind", [NetType.SQL_STRING, NetType.SQL_CHARS])
def test_blank_sql_strings_are_not(kind: NetType) -> None:
    """SqlTypes write themselves, and know nothing of xml:space."""
    assert cell(kind, "  ") == "<c>  </c>"


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (DateTimeMode.UNSPECIFIED_LOCAL, "2024-01-04T21:20:00+00:00"),
        (DateTimeMode.LOCAL, "2024-01-04T21:20:00+00:00"),
        (DateTimeMode.UNSPECIFIED, "2024-01-04T21:20:00"),
        (DateTimeMode.UTC, "2024-01-04T21:20:00Z"),
    ],
)
def test_date_times_follow_the_column_mode(mode: DateTimeMode, text: str) -> None:
    """The same wall clock in the four modes."""
    shown = cell(NetType.DATETIME, 638400000000000000, date_time_mode=mode)
    assert shown == f"<c>{text}</c>"


def test_null_is_absent_and_empty_is_not() -> None:
    """DBNull leaves the element out, an empty string abbreviates it."""
    text = one(Column("c"), None, "", b"".decode())
    assert '<T diffgr:id="T1" msdata:rowOrder="0" />' in text
    assert '<T diffgr:id="T2" msdata:rowOrder="1"><c /></T>' in text


@pytest.mark.parametrize(
    ("column", "declared"),
    [
        (
            Column("c", INT, nullable=False, auto_increment=(5, 2)),
            (
                'name="c" msdata:AutoIncrement="true" msdata:AutoIncrementSeed="5" '
                'msdata:AutoIncrementStep="2" type="xs:int" />'
            ),
        ),
        (
            Column("c", caption="The <name>", read_only=True, default="x<y"),
            (
                'name="c" msdata:ReadOnly="true" msdata:Caption="The &lt;name&gt;" type="xs:string" '
                'default="x&lt;y" minOccurs="0" />'
            ),
        ),
        (
            Column("c", INT, expression="Id*2", read_only=True, nullable=False),
            'name="c" msdata:ReadOnly="true" msdata:Expression="Id*2" type="xs:int" />',
        ),
        (
            Column("c", max_length=10, nullable=False),
            'name="c"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="10" />',
        ),
        (
            Column("c", NetType.SQL_BINARY),
            (
                'name="c" msdata:DataType="System.Data.SqlTypes.SqlBinary" type="xs:hexBinary" '
                'minOccurs="0" />'
            ),
        ),
        (
            Column("c", INT, properties=(("k e", "v&1"),)),
            'name="c" msprop:k_x0020_e="v&amp;1" type="xs:int" minOccurs="0" />',
        ),
        (
            Column("c", INT, mapping=Mapping.ATTRIBUTE, nullable=False, default=7),
            'name="c" type="xs:int" msdata:DefaultValue="7" use="required" />',
        ),
        (
            Column("c", INT, mapping=Mapping.HIDDEN, nullable=False),
            'name="c" type="xs:int" msdata:AllowDBNull="false" use="prohibited" />',
        ),
    ],
)
def test_columns_are_declared_as_dotnet_does(column: Column, declared: str) -> None:
    """The attributes come in System.Data's order."""
    assert declared in one(column)


def test_attribute_and_hidden_columns() -> None:
    """Elements carry ordinals; a hidden value stands on the row in msdata's namespace."""
    table = Table(
        "T",
        (
            Column("e", INT),
            Column("a", INT, mapping=Mapping.ATTRIBUTE),
            Column("h 1", mapping=Mapping.HIDDEN),
            Column("f", INT),
        ),
        (Row((1, 2, 'q"\t\n', 3)), Row((None, None, None, None))),
    )
    text = written(DataSet((table,)))
    assert '<xs:element name="f" type="xs:int" minOccurs="0" msdata:Ordinal="3" />' in text
    assert '<xs:attribute name="h_x0020_1" type="xs:string" use="prohibited" />' in text
    changes = 'diffgr:hasChanges="inserted"'
    assert (
        f'<T diffgr:id="T1" msdata:rowOrder="0" {changes} a="2" '
        'msdata:hiddenh_x0020_1="q&quot;\t&#xA;"><e>1</e><f>3</f></T>'
    ) in text
    assert f'<T diffgr:id="T2" msdata:rowOrder="1" {changes} />' in text


def test_simple_content() -> None:
    """The value is the row's text; null is xsi:nil, declared where no envelope does."""
    columns = (
        Column("a", INT, mapping=Mapping.ATTRIBUTE),
        Column("Text", INT, mapping=Mapping.SIMPLE_CONTENT),
    )
    rows = tuple(Row(each, RowState.UNCHANGED) for each in ((1, 2), (1, None)))
    data = DataSet((Table("T", columns, rows),))
    text = written(data, xsi=False)
    assert '<xs:element name="T" nillable="true">' in text
    assert '<xs:simpleContent msdata:ColumnName="Text" msdata:Ordinal="1">' in text
    assert '<T diffgr:id="T1" msdata:rowOrder="0" a="1">2</T>' in text
    declared = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    assert f'<T diffgr:id="T2" msdata:rowOrder="1" a="1" xsi:nil="true" {declared} />' in text
    assert 'a="1" xsi:nil="true" />' in written(data)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            Variant(NetType.INT32, 1),
            'xsi:type="xs:int" xmlns:xs="http://www.w3.org/2001/XMLSchema">1',
        ),
        (Variant(NetType.CHAR, "c"), 'msdata:InstanceType="System.Char">c'),
    ],
)
def test_object_columns_bring_their_type(value: Variant, shown: str) -> None:
    """XML Schema types by xsi:type, the others by msdata:InstanceType."""
    assert cell(NetType.OBJECT, value) == f"<c {shown}</c>"
