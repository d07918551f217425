"""Many replies at once: every row with its reply, and no reply harmed by another."""

import random
from decimal import Context, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.binding import Binding
from collector.simulator.dataset_writer import DataSet as Described
from pipelines.dataset import Batch, DataSet, Limits, read, read_many
from pipelines.dataset.errors import DataSetError, ValueFormatError
from tests.dataset.agreement import full_reading
from tests.dataset.generated import BINDINGS, body_of, datasets
from tests.dataset.mutations import mutated
from tests.dataset.samples import body_of as sample

_DOCUMENTED = sample("documented", "soap11")[0]


def _stats(count: int) -> bytes:
    return _DOCUMENTED.replace(b">104<", b">%d<" % count)


def _rows_of(batch: Batch, reply: int) -> list[tuple[str, str, list[object]]]:
    """All rows of one reply, by table, from the batch."""
    found = []
    for group in batch.groups:
        if reply not in group.replies:
            continue
        for table in group.tables:
            own = np.flatnonzero(table.reply == reply)
            assert table.row[own].tolist() == list(range(len(own)))
            assert table.counts[group.replies == reply].tolist() == [len(own)]
            rows = table.arrow.take(own).to_pylist() if table.columns else [{}] * len(own)
            states = table.states.take(own).to_pylist()
            found.append((table.name, repr(states), [_comparable(row) for row in rows]))
    return found


def _rows_read(dataset: DataSet) -> list[tuple[str, str, list[object]]]:
    return [
        (
            table.name,
            repr(table.states.to_pylist()),
            [_comparable(row) for row in table.arrow.to_pylist()],
        )
        for table in dataset
    ]


def _comparable(row: dict[str, object]) -> object:
    """Values without the scale or unit that a column of more replies may have."""
    return sorted((name, _plain(value)) for name, value in row.items())


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value.normalize(Context(prec=100)))
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _check(bodies: list[bytes]) -> Batch:
    """Each reply is in exactly one place, and reads as it does alone."""
    batch = read_many(bodies)
    failed = dict(batch.failures)
    grouped = [int(reply) for group in batch.groups for reply in group.replies]
    assert sorted([*failed, *batch.nulls.tolist(), *grouped]) == list(range(len(bodies)))
    for reply, body in enumerate(bodies):
        alone = full_reading(body)
        if isinstance(alone, DataSetError):
            assert type(failed[reply]) is type(alone)
            assert str(failed[reply]) == str(alone)
        elif alone.is_null:
            assert reply in batch.nulls
    return batch


def test_all_rows_of_one_schema_are_one_set_of_columns() -> None:
    """5,000 replies: one group, one table, values in the order of replies."""
    batch = read_many(map(_stats, range(5_000)))
    (group,) = batch.groups
    (table,) = group.tables
    assert table.arrow["ParcelsIn1"].to_pylist() == list(range(5_000))
    assert table.reply.tolist() == group.replies.tolist() == list(range(5_000))
    assert table.row.tolist() == [0] * 5_000
    assert not batch.failures


def test_one_bad_reply_harms_no_other() -> None:
    """The bad one is named with its error; the rest is read."""
    bodies = [_stats(n) for n in range(200)]
    bodies[17] = _DOCUMENTED.replace(b">104<", b">ten<")
    bodies[18] = b"<html/>"
    bodies[150] = _DOCUMENTED[:-20]
    batch = _check(bodies)
    assert [reply for reply, _ in batch.failures] == [17, 18, 150]
    error = batch.failures[0][1]
    assert isinstance(error, ValueFormatError)
    assert (error.table, error.row, error.column, error.value) == ("Table", 0, "ParcelsIn1", "ten")
    assert len(batch.groups[0].tables[0]) == 197


def test_null_and_rowless_replies_are_told_apart() -> None:
    """A null DataSet is in `nulls`; one without rows is in its group with a count of 0."""
    null = body_of(None, Binding.SOAP11)
    rowless = sample("zero-rows", "soap11")[0]
    batch = _check([_stats(1), null, rowless, _stats(2), null, rowless])
    (group,) = batch.groups
    assert batch.nulls.tolist() == [1, 4]
    assert group.replies.tolist() == [0, 2, 3, 5]
    assert group.tables[0].counts.tolist() == [1, 0, 1, 0]


def test_bindings_share_a_group() -> None:
    """The same schema in another envelope is the same schema."""
    bodies = [sample("documented", binding)[0] for binding in ("soap11", "soap12", "get", "post")]
    (group,) = _check(bodies).groups
    assert len(group.replies) == 4


def test_an_undeclared_column_makes_a_group_of_its_own() -> None:
    """It is kept, flagged, and leaves the others' columns alone."""
    odd = _DOCUMENTED.replace(b"</ParcelsIn1>", b"</ParcelsIn1><Extra>x</Extra>")
    batch = _check([_stats(1), odd, _stats(2)])
    assert [group.replies.tolist() for group in batch.groups] == [[0, 2], [1]]
    extra = batch.groups[1].tables[0].columns[-1]
    assert (extra.name, extra.declared) == ("Extra", False)


def test_lenient_mode_names_the_reply_of_a_reject() -> None:
    """A value that does not fit is null in its row, and listed with its reply."""
    bad = _DOCUMENTED.replace(b">104<", b">ten<")
    batch = read_many([_stats(1), bad, _stats(3)], strict=False)
    ((reply, reject),) = batch.rejects
    assert (reply, reject.column, reject.value) == (1, "ParcelsIn1", "ten")
    assert batch.groups[0].tables[0].arrow["ParcelsIn1"].to_pylist() == [1, None, 3]


def test_limits_hold_for_each_reply() -> None:
    """One reply with too many rows fails; others of the same shape do not."""
    many = sample("direction-rows", "soap11")[0]
    one = many[: many.index(b"<Table diffgr", many.index(b"Table1") + 9)]
    one += many[many.index(b"</NewDataSet>") :]
    batch = read_many([one, many, one], limits=Limits(rows=3))
    assert [reply for reply, _ in batch.failures] == [1]
    assert batch.groups[0].replies.tolist() == [0, 2]


def test_more_shapes_than_are_remembered() -> None:
    """Replies that are all different around their rows are read all the same."""
    bodies = [
        _stats(n).replace(b"<soap:Body>", b"<soap:Body id='%d'>" % (n % 150)) for n in range(300)
    ]
    (group,) = _check(bodies).groups
    assert group.tables[0].arrow["ParcelsIn1"].to_pylist() == list(range(300))


def test_the_charset_of_the_content_type_counts() -> None:
    """The same bytes under another charset are other text."""
    bodies = [sample("direction-rows", "soap11")[0].replace(b">In<", b">\xa4<")] * 2
    batch = read_many(bodies, [f"text/xml; charset=iso-8859-{part}" for part in (1, 15)])
    texts = batch.groups[0].tables[0].arrow["Direction"].to_pylist()
    assert (texts[0], texts[4]) == ("\u00a4", "\u20ac")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(datasets(), st.sampled_from(BINDINGS)), max_size=5), st.randoms())
def test_reads_as_each_reply_alone(
    described: list[tuple[Described, Binding]], rng: random.Random
) -> None:
    """Any mixture of replies: each row is there, with its reply, as `read` has it."""
    bodies = [body_of(data, binding) for data, binding in described] * 2
    rng.shuffle(bodies)
    batch = _check(bodies)
    for reply, body in enumerate(bodies):
        assert _rows_of(batch, reply) == _rows_read(read(body))


@pytest.mark.parametrize("seed", range(2))
def test_damaged_replies_among_good_ones(seed: int) -> None:
    """Rows of good replies are all there, whatever stands between them."""
    rng = random.Random(seed)
    bodies = [mutated(rng) if n % 3 else _stats(n) for n in range(600)]
    batch = _check(bodies)
    for reply in range(0, 600, 3):
        (found,) = _rows_of(batch, reply)
        assert found == _rows_read(read(bodies[reply]))[0]


def test_every_reply_has_a_content_type_or_none_has() -> None:
    """A list that is too short would leave replies unread."""
    body = sample("documented", "soap11")[0]
    for kinds in (["text/xml"], ["text/xml"] * 3, []):
        with pytest.raises(ValueError, match="argument 2 is"):
            read_many([body, body], kinds)
    assert read_many(iter([body, body]), iter([None, "text/xml"])).groups[0].replies.tolist() == [
        0,
        1,
    ]
