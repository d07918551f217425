"""Whatever DataSet the simulator writes as .NET would, the reader reads back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.binding import Binding
from collector.simulator.dataset_writer import DataSet, RowState
from pipelines.dataset import read
from tests.dataset.dotnet_view import differences
from tests.dataset.generated import BINDINGS, body_of, datasets, expected


@settings(deadline=None, max_examples=150)
@given(datasets(), st.sampled_from(BINDINGS))
def test_reads_back_what_was_written(data: DataSet, binding: Binding) -> None:
    """Names, types, values and states survive, in every binding."""
    assert differences(read(body_of(data, binding)), expected(data)) == []


@settings(deadline=None, max_examples=50)
@given(datasets())
def test_old_versions_belong_to_their_rows(data: DataSet) -> None:
    """Each modified row has its original, and each deleted row is kept apart."""
    for table, described in zip(read(body_of(data, Binding.SOAP11)), data.tables, strict=True):
        current = [row for row in described.rows if row.state is not RowState.DELETED]
        modified = [n for n, row in enumerate(current) if row.state is RowState.MODIFIED]
        assert sorted(table.before_rows.to_pylist()) == modified
        assert table.deleted.num_rows == len(described.rows) - len(current)
        assert table.before.num_rows == len(modified)
