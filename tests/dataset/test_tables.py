"""Rows, columns and tables: order, states, nulls, what is not declared, keys and relations."""

import pandas as pd
import pyarrow as pa
import pytest

from pipelines.dataset import DataSet, Reject, RowError, read, read_many
from pipelines.dataset.errors import SchemaError, ValueFormatError
from tests.dataset.made import column, element_table, one_value, reply
from tests.dataset.samples import body_of

_INT = element_table("T", column("A", "int"), column("B"))


def _row(number: int, cells: str, more: str = "") -> str:
    return f'<T diffgr:id="T{number}" msdata:rowOrder="{number}" {more}>{cells}</T>'


def test_a_row_beside_the_dataset_element_is_a_row() -> None:
    """Misplaced, but a row by its diffgr:id, as .NET sees it."""
    table = read(reply(_INT, _row(0, "<A>1</A>"), after=_row(1, "<A>2</A>", 'xmlns=""'))).tables[
        "T"
    ]
    assert table.arrow["A"].to_pylist() == [1, 2]


def test_four_kinds_of_nothing() -> None:
    """Absent, xsi:nil, empty and white space are told apart."""
    rows = "".join(
        _row(number, cell)
        for number, cell in enumerate(
            [
                "",
                '<B xsi:nil="true"/>',
                "<B/>",
                "<B></B>",
                '<B xml:space="preserve">  </B>',
                "<B> </B>",
            ]
        )
    )
    table = read(reply(_INT, rows)).tables["T"]
    assert table.arrow["B"].to_pylist() == [None, None, "", "", "  ", " "]
    assert table.nils == {"B": (1,)}


def test_a_default_is_not_applied() -> None:
    """A column that is absent is null even where the schema has a default."""
    table = read(one_value(column("V", "int", 'default="7"'), "")).tables["T"]
    assert table.columns[0].default == "7"
    assert table.arrow["V"].to_pylist() == [None]


def test_row_order_not_document_order() -> None:
    """Gaps and disorder are fine; what follows the rows follows them."""
    rows = (
        _row(7, "<A>3</A>")
        + _row(2, "<A>1</A>", 'diffgr:hasChanges="inserted"')
        + _row(4, "<A>2</A>")
    )
    table = read(reply(_INT, rows)).tables["T"]
    assert table.arrow["A"].to_pylist() == [1, 2, 3]
    assert table.states.to_pylist() == ["inserted", "unchanged", "unchanged"]


def test_an_error_counts_in_row_order() -> None:
    """The row that the message names is the table's, not the document's."""
    rows = _row(7, "<A>x</A>") + _row(2, "<A>1</A>")
    with pytest.raises(ValueFormatError) as caught:
        read(reply(_INT, rows))
    assert caught.value.row == 1


def test_old_versions_and_errors() -> None:
    """The before image of modified rows, deleted rows, and error texts, each by itself."""
    rows = _row(0, "<A>1</A>") + _row(
        2, "<A>33</A>", 'diffgr:hasChanges="modified" diffgr:hasErrors="true"'
    )
    after = (
        '<diffgr:before><T diffgr:id="T1" msdata:rowOrder="1" xmlns=""><A>2</A></T>'
        '<T diffgr:id="T2" msdata:rowOrder="2" xmlns=""><A>3</A></T></diffgr:before>'
        '<diffgr:errors><T diffgr:id="T2" diffgr:Error="bad row" xmlns="">'
        '<A diffgr:Error="bad value"/></T></diffgr:errors>'
    )
    table = read(reply(_INT, rows, after=after)).tables["T"]
    assert table.arrow["A"].to_pylist() == [1, 33]
    assert table.before["A"].to_pylist() == [3]
    assert table.before_rows.to_pylist() == [1]
    assert table.deleted["A"].to_pylist() == [2]
    assert table.errors == (RowError(1, None, "bad row"), RowError(1, "A", "bad value"))


def test_lenient_mode_rejects_values_not_rows() -> None:
    """Each reject has the same facts as the error; its value is null in the table."""
    rows = _row(0, "<A>1</A>") + _row(1, "<A>x</A><B>b</B>") + _row(2, "<A>2</A><A>3</A>")
    dataset = read(reply(_INT, rows), strict=False)
    assert dataset.tables["T"].arrow.to_pylist() == [
        {"A": 1, "B": None},
        {"A": None, "B": "b"},
        {"A": 2, "B": None},
    ]
    expected = "a whole number from -2147483648 to 2147483647 (System.Int32)"
    assert dataset.rejects == (
        Reject("T", 1, "A", "x", expected),
        Reject("T", 2, "A", "3", "given at most once"),
    )


@pytest.mark.parametrize(
    ("cells", "more"),
    [
        ("<A>1</A>text", ""),
        ("<B>1</B><B>2</B>", ""),
        ('<B xsi:nil="true"/><B>2</B>', ""),
        ('<B xsi:nil="true"/><B xsi:nil="true"/>', ""),
        ("<B><C/></B>", ""),
        ("", 'diffgr:hasChanges="changed"'),
        ("", 'diffgr:hasChange="inserted"'),
        ("", 'msdata:rowOrde="1"'),
    ],
)
def test_nothing_is_dropped_in_silence(cells: str, more: str) -> None:
    """Text between columns, markup in a string, attributes that DiffGrams do not have."""
    with pytest.raises(ValueFormatError):
        read(reply(_INT, _row(0, cells, more)))
    assert read(reply(_INT, _row(0, cells, more)), strict=False).rejects


@pytest.mark.parametrize("order", ["--5", "x", "", "1.0", "12345678901"])
def test_a_row_order_is_a_number(order: str) -> None:
    """Any other is refused like any other value."""
    with pytest.raises(ValueFormatError, match="rowOrder"):
        read(reply(_INT, f'<T msdata:rowOrder="{order}"/>'))


def test_undeclared_columns_are_kept_as_text() -> None:
    """Elements and attributes, from the row on in which they first occur."""
    rows = _row(0, "<A>1</A>") + _row(1, "<C>c</C>", 'd="d" msdata:hiddenH="h"')
    table = read(reply(_INT, rows)).tables["T"]
    loose = [(c.name, str(c.place)) for c in table.columns if not c.declared]
    assert loose == [("d", "Attribute"), ("H", "Hidden"), ("C", "Element")]
    assert table.arrow.to_pylist()[1] == {"A": None, "B": None, "d": "d", "H": "h", "C": "c"}
    assert table.arrow.field("C").metadata[b"declared"] == b"false"


def test_many_undeclared_columns_late() -> None:
    """After thousands of rows the earlier ones are null in them."""
    rows = "".join(
        _row(n, f"<A>{n}</A>" + ("<X>x</X>" if n == 9_000 else "")) for n in range(9_001)
    )
    table = read(reply(_INT, rows)).tables["T"]
    assert table.arrow["X"].null_count == 9_000
    assert table.arrow["X"][9_000].as_py() == "x"


def test_another_namespace_is_another_column() -> None:
    """Matched by namespace and name, never by name alone."""
    rows = _row(0, '<A>1</A><A xmlns="urn:other">two</A>')
    table = read(reply(_INT, rows)).tables["T"]
    assert table.arrow.to_pylist() == [{"A": 1, "B": None, "{urn:other}A": "two"}]


def test_mappings() -> None:
    """Attribute, hidden and simple content, at their ordinals."""
    declared = (
        '<xs:element name="T"><xs:complexType><xs:sequence>'
        '<xs:element name="E" type="xs:int" minOccurs="0" msdata:Ordinal="1"/></xs:sequence>'
        '<xs:attribute name="A" type="xs:int"/>'
        '<xs:attribute name="H" type="xs:int" use="prohibited"/></xs:complexType></xs:element>'
        '<xs:element name="S" nillable="true"><xs:complexType>'
        '<xs:simpleContent msdata:ColumnName="Text" msdata:Ordinal="1"><xs:extension base="xs:int">'
        '<xs:attribute name="A" type="xs:string"/></xs:extension></xs:simpleContent>'
        "</xs:complexType></xs:element>"
    )
    rows = (
        '<T msdata:rowOrder="0" A="1" msdata:hiddenH="3"><E>2</E></T>'
        '<S A="a">5</S><S A="b"/><S xsi:nil="true"/>'
    )
    dataset = read(reply(declared, rows))
    assert dataset.tables["T"].arrow.to_pylist() == [{"A": 1, "E": 2, "H": 3}]
    assert [str(c.place) for c in dataset.tables["T"].columns] == ["Attribute", "Element", "Hidden"]
    assert dataset.tables["S"].arrow.to_pylist() == [
        {"A": "a", "Text": 5},
        {"A": "b", "Text": None},
        {"A": None, "Text": None},
    ]
    assert dataset.tables["S"].nils == {"Text": (2,)}


@pytest.mark.parametrize("name", ["_x0020_", "_x00e9_", "a:b"])
def test_the_name_of_simple_content_is_not_escaped(name: str) -> None:
    """.NET writes it as it is, and reads it so; no other name comes that way."""
    declared = (
        f'<xs:element name="S"><xs:complexType><xs:simpleContent msdata:ColumnName="{name}">'
        '<xs:extension base="xs:int"/></xs:simpleContent></xs:complexType></xs:element>'
    )
    (table,) = read(reply(declared, "<S>5</S>")).tables
    assert table.arrow.to_pylist() == [{name: 5}]


def test_simple_content_without_a_name_is_named_after_its_table() -> None:
    """The table's name is unescaped once."""
    declared = (
        '<xs:element name="_x005F_x0041_"><xs:complexType><xs:simpleContent>'
        '<xs:extension base="xs:int"/></xs:simpleContent></xs:complexType></xs:element>'
    )
    (table,) = read(reply(declared, "<_x005F_x0041_>5</_x005F_x0041_>")).tables
    assert table.arrow.to_pylist() == [{"_x0041__text": 5}]


_GROUPED = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:group name="G"><xs:sequence>'
    '<xs:element name="A" type="xs:int" minOccurs="0"/>{}</xs:sequence></xs:group></xs:schema>'
)


def test_columns_of_a_group() -> None:
    """.NET writes no xs:group, but reads the columns of one."""
    declared = element_table("T", column("B"), '<xs:group ref="G"/>')
    body = reply(declared, _row(0, "<B>x</B><A>1</A>"), schemas=_GROUPED.replace("{}", ""))
    (table,) = read(body).tables
    assert table.arrow.to_pylist() == [{"B": "x", "A": 1}]
    assert table.arrow.schema.field("A").type == pa.int32()


def test_a_group_that_is_missing() -> None:
    """A column would be lost."""
    with pytest.raises(SchemaError, match="group"):
        read(reply(element_table("T", '<xs:group ref="G"/>'), ""))


def test_simple_content_without_a_schema() -> None:
    """The text of a row that no schema declares is kept as a column, but not text among its columns."""
    rows = (
        '<S diffgr:id="S1" msdata:rowOrder="0"> <A>1</A> </S><S diffgr:id="S2" msdata:rowOrder="1"> x </S>'
        '<S diffgr:id="S3" msdata:rowOrder="2" xsi:nil="true"/>'
    )
    (table,) = read(reply("", rows)).tables
    assert table.arrow.to_pylist() == [
        {"A": "1", "S_text": None},
        {"A": None, "S_text": " x "},
        {"A": None, "S_text": None},
    ]
    assert [(str(c.place), c.declared) for c in table.columns] == [
        ("Element", False),
        ("SimpleContent", False),
    ]
    for stray in (rows.replace("<A>", "y<A>"), rows.replace('diffgr:id="S2"', "")):
        with pytest.raises(ValueFormatError, match="in a column of its own"):
            read(reply("", stray))


@pytest.mark.parametrize("nil", [" true ", "1\n"])
def test_white_space_around_nil_is_none_of_it(nil: str) -> None:
    """An XSD boolean may have some."""
    table = read(one_value(column("V"), f'<V xsi:nil="{nil}"/>')).tables["T"]
    assert (table.arrow["V"].to_pylist(), table.nils) == ([None], {"V": (0,)})


def test_simple_content_is_in_its_tables_namespace() -> None:
    """As .NET has it, though nothing of it bears a name."""
    other = (
        '<xs:schema targetNamespace="urn:x" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:msdata="urn:schemas-microsoft-com:xml-msdata">'
        '<xs:element name="S"><xs:complexType><xs:simpleContent msdata:ColumnName="Text">'
        '<xs:extension base="xs:int"/></xs:simpleContent></xs:complexType></xs:element></xs:schema>'
    )
    body = reply('<xs:element ref="x:S" xmlns:x="urn:x"/>', '<S xmlns="urn:x">5</S>', schemas=other)
    (table,) = read(body).tables
    assert [(column.name, column.namespace) for column in table.columns] == [("Text", "urn:x")]
    assert table.arrow["Text"].to_pylist() == [5]


def _family() -> DataSet:
    child = element_table("Child", column("K", "int"), column("P", "int"))
    parent = element_table("Parent", '<xs:element name="K" type="xs:int"/>', child)
    keys = (
        '<xs:unique name="Key1" msdata:PrimaryKey="true"><xs:selector xpath=".//Parent"/>'
        '<xs:field xpath="K"/></xs:unique>'
        '<xs:keyref name="Family" refer="Key1" msdata:IsNested="true" msdata:DeleteRule="None">'
        '<xs:selector xpath=".//Child"/><xs:field xpath="P"/></xs:keyref>'
    )
    rows = (
        '<Parent diffgr:id="P2" msdata:rowOrder="1"><K>2</K>'
        '<Child diffgr:id="C1" msdata:rowOrder="0"><K>10</K><P>2</P></Child></Parent>'
        '<Parent diffgr:id="P1" msdata:rowOrder="0"><K>1</K>'
        '<Child diffgr:id="C3" msdata:rowOrder="2"><K>12</K><P>1</P></Child></Parent>'
        '<Child diffgr:id="C2" msdata:rowOrder="1"><K>11</K></Child>'
    )
    return read(reply(parent, rows, keys=keys))


def test_nested_rows_go_to_their_own_table() -> None:
    """In their own row order, orphans among them."""
    dataset = _family()
    assert dataset.tables["Parent"].arrow["K"].to_pylist() == [1, 2]
    assert dataset.tables["Child"].arrow["K"].to_pylist() == [10, 11, 12]


def test_keys_and_relations() -> None:
    """As metadata: names, columns, rules, nesting."""
    dataset = _family()
    (relation,) = dataset.relations
    assert (relation.name, relation.parent_table, relation.child_table) == (
        "Family",
        "Parent",
        "Child",
    )
    assert (relation.parent_columns, relation.child_columns, relation.nested) == (
        ("K",),
        ("P",),
        True,
    )
    assert dataset.tables["Parent"].schema.primary_key == ("K",)
    (foreign,) = dataset.tables["Child"].schema.constraints
    assert (foreign.refers_to, foreign.delete_rule, foreign.update_rule) == (
        "Parent",
        "None",
        "Cascade",
    )


def test_column_metadata() -> None:
    """Caption, length, read-only, expression and the rest are there to be looked at."""
    more = (
        'msdata:Caption="Cap" msdata:ReadOnly="true" msdata:Expression="1+1" '
        'msdata:AutoIncrement="true" msdata:AutoIncrementSeed="5" msdata:AutoIncrementStep="-1" '
        'xmlns:msprop="urn:schemas-microsoft-com:xml-msprop" msprop:a_x0020_b="c"'
    )
    found = read(one_value(column("V", "int", more), "<V>1</V>")).tables["T"].columns[0]
    assert (found.caption, found.read_only, found.expression) == ("Cap", True, "1+1")
    assert (found.auto_increment, found.auto_increment_seed, found.auto_increment_step) == (
        True,
        5,
        -1,
    )
    assert found.extended_properties == {"a b": "c"}


def test_tables_that_share_a_name() -> None:
    """Told apart by namespace; by name alone only where that is enough."""
    other = (
        '<xs:schema targetNamespace="urn:x" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'elementFormDefault="qualified"><xs:element name="T"><xs:complexType><xs:sequence>'
        '<xs:element name="A" type="xs:string"/></xs:sequence></xs:complexType></xs:element></xs:schema>'
    )
    main = _INT + '<xs:element ref="app1:T" xmlns:app1="urn:x"/>'
    rows = _row(0, "<A>1</A>") + '<T xmlns="urn:x"><A>x</A></T>'
    tables = read(reply(main, rows, schemas=other)).tables
    assert [(table.name, table.namespace) for table in tables] == [("T", "urn:x"), ("T", "")]
    assert tables["T", ""].arrow["A"].to_pylist() == [1]
    assert tables["T", "urn:x"].arrow["A"].to_pylist() == ["x"]
    with pytest.raises(KeyError, match="add a namespace"):
        tables["T"]
    with pytest.raises(KeyError, match="no table 'U'"):
        tables["U"]
    assert "T" in tables
    assert ("T", "urn:y") not in tables


@pytest.mark.parametrize(
    "name", ["schema", "before", "diffgram", "DataSet", "NewDataSet", "errors"]
)
def test_tables_may_have_any_name(name: str) -> None:
    """Also the names of what is around them."""
    rows = f'<{name} diffgr:id="1" msdata:rowOrder="0"><{name}>5</{name}></{name}>'
    table = read(reply(element_table(name, column(name, "int")), rows)).tables[name]
    assert table.arrow.to_pylist() == [{name: 5}]


def test_names_that_differ_only_by_case() -> None:
    """Are different names."""
    tables = element_table("T", column("a", "int"), column("A")) + element_table("t", column("x"))
    rows = _row(0, "<a>1</a><A>b</A>") + '<t msdata:rowOrder="0"><x>y</x></t>'
    dataset = read(reply(tables, rows))
    assert dataset.tables["T"].arrow.to_pylist() == [{"a": 1, "A": "b"}]
    assert dataset.tables["t"].arrow.to_pylist() == [{"x": "y"}]


def test_a_table_without_columns_has_rows() -> None:
    """Empty elements, counted."""
    after = '<diffgr:before><T diffgr:id="T9" msdata:rowOrder="2" xmlns=""/></diffgr:before>'
    for rows in (_row(0, "") + _row(1, ""), _row(1, "") + _row(0, "")):
        body = reply(element_table("T"), rows, after=after)
        table = read(body).tables["T"]
        assert (len(table), table.deleted.num_rows, table.before.num_rows) == (2, 1, 0)
        assert len(read_many([body, body]).groups[0].tables[0]) == 4


def test_pandas_keeps_the_types() -> None:
    """Frames are pyarrow-backed: int32 with a null stays int32."""
    frame = read(body_of("nulls", "soap11")[0]).tables["Table"].pandas()
    assert frame["Int32"].dtype == pd.ArrowDtype(pa.int32())
    assert frame["Int32"].tolist()[0] == -70000
    assert frame["Int32"].isna().tolist() == [False, True, False]
    assert str(frame["Decimal"].dtype) == "decimal128(38, 2)[pyarrow]"


def test_iterating_a_dataset_gives_its_tables() -> None:
    """In order."""
    dataset = _family()
    assert [table.name for table in dataset] == ["Parent", "Child"]
    assert list(dataset) == list(dataset.tables)
    assert repr(dataset).startswith("DataSet([DataTable('Parent', 2 rows, 1 columns)")
