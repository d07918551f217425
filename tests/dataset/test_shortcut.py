"""Reading rows by bytes never differs from reading the document."""

import random
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.binding import Binding
from collector.simulator.dataset_writer import DataSet as Described
from pipelines.dataset import DEFAULT_LIMITS, DataSet, Limits, read, read_many, shortcut
from pipelines.dataset.shortcut import read_large
from tests.dataset.agreement import full_reading, same_tables
from tests.dataset.generated import BINDINGS, body_of, plain_datasets
from tests.dataset.mutations import mutated
from tests.dataset.samples import body_of as sample


@pytest.fixture(autouse=True)
def _all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the shortcut try small documents, in pieces of a few rows."""
    monkeypatch.setattr(shortcut, "_WORTHWHILE", 1)
    monkeypatch.setattr(shortcut, "_MOSTLY", 10**9)
    monkeypatch.setattr(shortcut, "_CHUNK", 700)


def _agrees(body: bytes, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether the shortcut was taken; if so, it must have come to the same."""
    short = read_large(body, None, limits)
    if short is None:
        return False
    full = full_reading(body, limits)
    assert isinstance(full, DataSet), (full, body)
    assert full.schema == short.schema
    assert len(full.tables) == len(short.tables), body
    assert all(same_tables(a, b) for a, b in zip(full, short, strict=True)), body
    assert not any(table.before.num_rows or table.errors or table.nils for table in full)
    return True


@pytest.mark.filterwarnings("error")
@settings(deadline=None, max_examples=150)
@given(plain_datasets(), st.sampled_from(BINDINGS))
def test_agrees_on_any_dataset(data: Described, binding: Binding) -> None:
    """Where it is taken, it gives the full reader's tables."""
    _agrees(body_of(data, binding))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_on_damaged_replies(seed: int) -> None:
    """It never accepts what the full reader refuses, and never reads it otherwise."""
    rng = random.Random(1000 + seed)
    taken = sum(_agrees(mutated(rng)) for _ in range(1_500))
    assert taken > 30


@pytest.mark.parametrize("case", ["documented", "types-basic", "names-encoded", "direction-rows"])
@pytest.mark.parametrize("binding", ["soap11", "soap12", "get", "post"])
def test_is_taken_for_ordinary_replies(case: str, binding: str) -> None:
    """It is no shortcut if it is never taken."""
    assert _agrees(sample(case, binding)[0])


def test_limits_hold_for_it_too() -> None:
    """More rows than allowed are left to the full reader, which refuses them."""
    body, _ = sample("direction-rows", "soap11")
    assert not _agrees(body, Limits(rows=3))
    assert _agrees(body, Limits(rows=4))
    assert not _agrees(body, Limits(body_bytes=100))


def test_rows_out_of_order_are_put_in_order() -> None:
    """Whoever reads them."""
    body, _ = sample("direction-rows", "soap11")
    for old, new in ((b"0", b"7"), (b"3", b"1")):
        body = body.replace(b'rowOrder="%s"' % old, b'rowOrder="%s"' % new)
    _agrees(body)
    assert read(body).tables[0].arrow["Minutes"].to_pylist() == [15, 60, 60, 15]


@pytest.mark.parametrize("text", ["&lt;", "&amp;", "<b>&amp;lt;</b>", "a & b"])
def test_entities_are_resolved_once(text: str) -> None:
    """What looks like an entity afterwards was text."""
    body, _ = sample("direction-rows", "soap11")
    body = body.replace(b">In<", b">" + escape(text).encode() + b"<")
    assert _agrees(body)
    assert read(body).tables[0].arrow["Direction"][0].as_py() == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("&quot;&apos;&amp;quot;", "\"'&quot;"),
        ("&amp;apos;&lt;&gt;", "&apos;<>"),
        ("&amp;amp;quot;", "&amp;quot;"),
    ],
)
def test_quotes_may_be_entities(written: str, text: str) -> None:
    """.NET writes them raw in text, other writers do not; resolved once, in any order."""
    body, _ = sample("direction-rows", "soap11")
    body = body.replace(b">In<", b">" + written.encode() + b"<")
    assert _agrees(body)
    assert read(body).tables[0].arrow["Direction"][0].as_py() == text


@pytest.mark.parametrize(
    "namespace",
    [
        "urn:other",
        "http://www.w3.org/2001/XMLSchema-instance",
        "urn:schemas-microsoft-com:xml-diffgram-v1",
    ],
)
def test_prefixes_must_mean_what_they_mean(namespace: str) -> None:
    """Rows are matched by prefix, so the prefixes are checked where the rows stand."""
    body, _ = sample("direction-rows", "soap11")
    diffgram = body.index(b"<diffgr:diffgram")
    at = body.index(b"urn:schemas-microsoft-com:xml-msdata", diffgram)
    changed = body[:at] + namespace.encode() + body[at + 36 :]
    assert read_large(changed, None, DEFAULT_LIMITS) is None


@pytest.mark.parametrize("place", [b"<Table ", b"</Table>", b"</NewDataSet>", b"<Minutes>", b"In<"])
@pytest.mark.parametrize("character", [b"\0", b"\x01", b"\x0b", b"\xef\xbf\xbf", b"\xff"])
def test_no_other_character_slips_through(place: bytes, character: bytes) -> None:
    """Not between rows either."""
    body, _ = sample("direction-rows", "soap11")
    at = body.index(place, body.index(b"<NewDataSet "))
    damaged = body[:at] + character + body[at:]
    assert read_large(damaged, None, DEFAULT_LIMITS) is None
    batch = read_many([body, damaged, body])
    assert [reply for reply, _ in batch.failures] == [1]
    assert batch.groups[0].replies.tolist() == [0, 2]


def test_a_large_reply_in_many_pieces() -> None:
    """Rows cut at piece borders are all there, in order."""
    body, _ = sample("documented", "soap11")
    start, end = body.index(b"<Table "), body.index(b"</NewDataSet>")
    rows = b"".join(
        body[start:end]
        .replace(b'rowOrder="0"', b'rowOrder="%d"' % n)
        .replace(b">104<", b">%d<" % n)
        for n in range(3_000)
    )
    table = read(body[:start] + rows + body[end:]).tables[0]
    assert table.arrow["ParcelsIn1"].to_pylist() == list(range(3_000))
    assert set(table.states.to_pylist()) == {"inserted"}
