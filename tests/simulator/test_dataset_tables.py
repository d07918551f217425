"""Tables with relations, errors, a namespace, or nothing in them: what a real System.Data was seen to write."""

from collections.abc import Callable

import pytest

from collector.simulator.dataset_writer import (
    Column,
    DataSet,
    Key,
    Mapping,
    NetType,
    Relation,
    Row,
    RowState,
    Table,
)
from tests.simulator.written import cell, written

INT = NetType.INT32


def family(*, nested: bool, constraint: bool = True) -> DataSet:
    """Parents 1 and 2 with three children, one of them an orphan."""
    parent = Table(
        "P", (Column("id", INT),), (Row((1,)), Row((2,))), (Key("Constraint1", ("id",)),)
    )
    child = Table("C", (Column("pid", INT),), (Row((2,)), Row((1,)), Row((None,))))
    relation = Relation("rel", "P", ("id",), "C", ("pid",), nested, constraint)
    return DataSet((parent, child), relations=(relation,))


def test_nested_rows_stand_inside_their_parent() -> None:
    """RowOrder keeps the table's order, the document does not."""
    text = written(family(nested=True))
    ids = [part.partition('"')[0] for part in text.split('diffgr:id="')[1:]]
    assert ids == ["P1", "C2", "P2", "C1", "C3"]
    assert '<xs:keyref name="rel" refer="Constraint1" msdata:IsNested="true">' in text


def test_flat_rows_follow_table_by_table() -> None:
    """Without nesting, each table's rows stand together."""
    text = written(family(nested=False))
    ids = [part.partition('"')[0] for part in text.split('diffgr:id="')[1:]]
    assert ids == ["P1", "P2", "C1", "C2", "C3"]


def test_a_relation_without_constraint_is_an_annotation() -> None:
    """Nothing to refer to, so the schema only says it in msdata's words."""
    text = written(family(nested=False, constraint=False))
    assert (
        '<msdata:Relationship name="rel" msdata:parent="P" msdata:child="C" '
        'msdata:parentkey="id" msdata:childkey="pid" />'
    ) in text
    assert "xs:keyref" not in text


def test_a_deleted_child_names_its_parent() -> None:
    """`before` keeps the nesting as diffgr:parentId."""
    parent = Table(
        "P", (Column("id", INT),), (Row((1,), RowState.UNCHANGED),), (Key("K", ("id",)),)
    )
    child = Table("C", (Column("pid", INT),), (Row((1,), RowState.DELETED),))
    relation = Relation("rel", "P", ("id",), "C", ("pid",), nested=True)
    text = written(DataSet((parent, child), relations=(relation,)))
    assert '<C diffgr:id="C1" diffgr:parentId="P1" msdata:rowOrder="0" xmlns="">' in text


def test_row_and_column_errors() -> None:
    """Errors are a part of their own, and rows are marked."""
    rows = (
        Row((1,), RowState.UNCHANGED, error="bad <row>"),
        Row((2,), RowState.DELETED, column_errors=(("a", "bad"),)),
    )
    text = written(DataSet((Table("T", (Column("a", INT),), rows),)))
    assert '<T diffgr:id="T1" msdata:rowOrder="0" diffgr:hasErrors="true">' in text
    assert '<T diffgr:id="T2" diffgr:hasErrors="true" msdata:rowOrder="1" xmlns="">' in text
    assert (
        '<diffgr:errors><T diffgr:id="T1" diffgr:Error="bad &lt;row&gt;" xmlns="" />'
        '<T diffgr:id="T2" xmlns=""><a diffgr:Error="bad" /></T></diffgr:errors>'
    ) in text


def test_old_values_of_a_modified_row_carry_no_error_mark() -> None:
    """Only a deleted row repeats hasErrors in `before`."""
    row = Row((1,), RowState.MODIFIED, (2,), error="bad")
    text = written(DataSet((Table("T", (Column("a", INT),), (row,)),)))
    assert '<T diffgr:id="T1" msdata:rowOrder="0" xmlns=""><a>2</a></T></diffgr:before>' in text


@pytest.mark.parametrize(
    ("mapping", "form"),
    [(Mapping.ATTRIBUTE, 'name="a" form="unqualified" type'), (Mapping.HIDDEN, 'name="a" type')],
)
def test_attributes_of_a_namespaced_dataset(mapping: Mapping, form: str) -> None:
    """Their values are in no namespace, and the schema says so; a hidden one is no attribute."""
    table = Table("T", (Column("a", INT, mapping=mapping),))
    assert form in written(DataSet((table,), namespace="urn:x"))


def test_a_namespaced_dataset() -> None:
    """The target namespace, its prefix in keys, and settings of the DataSet."""
    table = Table("T", (Column("c", INT),), (Row((1,)),), (Key("PK", ("c",), primary=True),))
    data = DataSet(
        (table,),
        "My Set",
        "urn:x",
        case_sensitive=True,
        locale="en-US",
        enforce_constraints=False,
    )
    text = written(data)
    assert (
        '<xs:schema id="My_x0020_Set" targetNamespace="urn:x" xmlns:mstns="urn:x" xmlns="urn:x"'
        in text
    )
    assert (
        '<xs:element name="My_x0020_Set" msdata:IsDataSet="true" msdata:CaseSensitive="true" '
        'msdata:Locale="en-US" msdata:EnforceConstraints="False">'
    ) in text
    assert '<xs:selector xpath=".//mstns:T" /><xs:field xpath="mstns:c" />' in text
    assert '<My_x0020_Set xmlns="urn:x"><T ' in text


def test_no_tables_and_no_columns() -> None:
    """An empty choice and DiffGram; a complexType that is never abbreviated."""
    assert '<xs:choice minOccurs="0" maxOccurs="unbounded" />' in written(DataSet())
    assert written(DataSet()).endswith('diffgram-v1" /></r>')
    bare = written(DataSet((Table("T", ()),)), indented=True)
    assert "<xs:complexType>\n            </xs:complexType>" in bare


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Row((1,), RowState.MODIFIED), "`before` is for modified rows"),
        (lambda: Row((1,), before=(2,)), "`before` is for modified rows"),
        (lambda: Table("T", (Column("a"),), (Row(()),)), "0 values, must be one for each of the 1"),
        (
            lambda: Table("T", (Column("a"), Column("b", mapping=Mapping.SIMPLE_CONTENT))),
            "SimpleContent column excludes Element columns",
        ),
        (lambda: cell(INT, "1"), "cannot be written as System.Int32"),
        (lambda: cell(NetType.GUID, "1"), "cannot be written as System.Guid"),
    ],
    ids=["modified", "not-modified", "values", "simple-content", "int", "guid"],
)
def test_descriptions_that_cannot_be_are_refused(build: Callable[[], object], said: str) -> None:
    """The message names what is wrong."""
    with pytest.raises((ValueError, TypeError), match=said):
        build()


def test_a_foreign_key_needs_a_key_of_the_parent() -> None:
    """A relation with a constraint refers to a key by its columns."""
    data = family(nested=False)
    loose = DataSet((Table("P", data.tables[0].columns), data.tables[1]), relations=data.relations)
    with pytest.raises(ValueError, match="has no key on"):
        written(loose)
