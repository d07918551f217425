"""Hostile bodies through a whole night: bounded memory, one typed error, the reply kept, the others unharmed."""

import gzip
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pytest

from collector.domain.binding import Binding
from collector.simulator import Simulator
from collector.simulator.switches import HostileKind
from tests.nightly.ground import Ended, Ground, counts_sent, counts_told, population, switches

MEGABYTE: Final = 1 << 20
LIMIT: Final = 2 * MEGABYTE
UNHARMED: Final = 6  # sessions
CONFIG: Final = f"""binding = "{{binding}}"
timeout_seconds = 20
[limits]
requests_per_second = 200
per_session_per_second = 50
max_reply_bytes = {LIMIT}
[retry]
attempts = 2
backoff_seconds = 0.01
[windows]
minutes = [60, 120]
"""
MALFORMED: Final = "malformed"
LARGE: Final = "too_large"
# what the ledger says of a call that was answered so, and how much of it the switch makes
KINDS: Final = {
    HostileKind.SAME_ATTRIBUTE: (MALFORMED, 0),
    HostileKind.INVALID_UTF8: (MALFORMED, 0),
    HostileKind.NUL_BYTES: (MALFORMED, 0),
    HostileKind.EXTERNAL_ENTITY: (MALFORMED, 0),
    HostileKind.BILLION_LAUGHS: (MALFORMED, 0),
    HostileKind.QUADRATIC: (MALFORMED, MEGABYTE),
    HostileKind.DEEP_NESTING: (MALFORMED, MEGABYTE),
    HostileKind.MANY_COLUMNS: ("quarantined", MEGABYTE),
    HostileKind.RECURSIVE_TYPE: ("quarantined", 0),
    HostileKind.WHITESPACE: (LARGE, 20 * MEGABYTE),
    HostileKind.GZIP_BOMB: (LARGE, 500 * MEGABYTE),
    HostileKind.ENDLESS: (LARGE, 1_000 * MEGABYTE),
}
# and these are answers for all that
HARMLESS: Final = {HostileKind.UTF16: 0, HostileKind.MANY_ATTRIBUTES: MEGABYTE}
SIZES: Final = {kind: size for kind, (_, size) in KINDS.items()} | HARMLESS
ALL_BINDINGS: Final = [
    Binding.SOAP12,
    Binding.HTTP_GET,
    pytest.param(Binding.SOAP11, marks=pytest.mark.extended),
    pytest.param(Binding.HTTP_POST, marks=pytest.mark.extended),
]
PEAKS: Final[list[int]] = []  # of a night without anything hostile; measured once
MEASURES: Final = Path("/proc/self/status").exists()
ROOM: Final = (
    150 * MEGABYTE
)  # beyond a benign night: eight replies at the limit, and what reading one takes


@dataclass(frozen=True, slots=True)
class Night:
    """A run that ended, and how much memory its process had at most, in bytes."""

    ground: Ground
    ended: Ended
    peak: int

    def of(self, table: str, session: str) -> pd.DataFrame:
        """A session's part of a published table."""
        rows = self.ground.table(table)
        return rows[rows["session"] == session]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What is open until the test ends."""
    async with AsyncExitStack() as opened:
        yield opened


def label(number: int) -> str:
    """The label of the nth session."""
    return f"mailbox-{number:04d}"


async def night(
    stack: AsyncExitStack, folder: Path, binding: Binding, kinds: Sequence[HostileKind] = ()
) -> Night:
    """One night in which the first sessions are struck, each by its kind."""
    wrong = {
        label(number): switches(hostile="always", hostile_kind=kind, hostile_bytes=SIZES[kind])
        for number, kind in enumerate(kinds, 1)
    }
    folder.mkdir()  # noqa: ASYNC240  # a moment
    people = population(len(kinds) + UNHARMED, 3)
    simulator = await stack.enter_async_context(Simulator(people, overrides=wrong))
    ground = Ground(folder, simulator, CONFIG.format(binding=binding))
    peak = folder / "peak"
    ground.program = (sys.executable, "-m", "tests.reliability.measured", str(peak))
    ended = await ground.run("run")
    return Night(ground, ended, int(peak.read_text("ascii")))


async def assert_bounded(
    stack: AsyncExitStack, folder: Path, binding: Binding, kinds: Sequence[HostileKind]
) -> int:
    """Every struck call fails for its reason; the replies are kept; all others have their rows; memory is bounded."""
    if not PEAKS:
        benign = await night(stack, folder / "benign", binding)
        assert benign.ended.code == 0, benign.ended.err
        PEAKS.append(benign.peak)
    done = await night(stack, folder / "struck", binding, kinds)
    assert done.ended.code == 1, done.ended.err
    said = done.ended.json
    assert (said["ok"], said["failed"], said["empty"]) == (UNHARMED, len(kinds), 0)
    for number, kind in enumerate(kinds, 1):
        (call,) = done.of("calls", label(number)).to_dict("records")
        assert (call["state"], call["fault_class"]) == ("failed", KINDS[kind][0]), (kind, call)
        assert call["fault_text"]
        assert_kept(done, label(number), kind)
    assert_unharmed(done, len(kinds))
    assert done.peak < PEAKS[0] + ROOM, (done.peak, PEAKS)
    return done.peak


@pytest.mark.extended
@pytest.mark.skipif(not MEASURES, reason="memory is read from /proc")
@pytest.mark.parametrize("binding", ALL_BINDINGS)
@pytest.mark.few(1)
async def test_hostile_sessions(stack: AsyncExitStack, tmp_path: Path, binding: Binding) -> None:
    """One session for each kind, and some more, at the same time."""
    await assert_bounded(stack, tmp_path, binding, tuple(KINDS))


@pytest.mark.extended
@pytest.mark.skipif(not MEASURES, reason="memory is read from /proc")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_hostile_session(stack: AsyncExitStack, tmp_path: Path, kind: HostileKind) -> None:
    """Each kind alone."""
    peak = await assert_bounded(stack, tmp_path, Binding.SOAP12, (kind,))
    sys.stdout.write(f"{kind}: {peak / MEGABYTE:.0f} MiB, benign {PEAKS[0] / MEGABYTE:.0f} MiB\n")


def assert_kept(done: Night, session: str, kind: HostileKind) -> None:
    """Every reply is in `raw` as it came, up to the limit."""
    raw, size = done.of("raw", session), SIZES[kind]
    sent = [each for each in done.ground.simulator.log.arrivals if each.fault == kind]
    assert len(raw) == len(sent) >= 1
    for body, headers, cut in zip(raw["body"], raw["headers"], raw["cut"], strict=True):
        assert 0 < len(body) <= LIMIT
        assert cut == (size > LIMIT)
        if kind is HostileKind.GZIP_BOMB:
            assert "gzip" in str(headers)
            assert len(body) < size // 200
        elif size > LIMIT:
            assert len(body) == LIMIT
        else:
            assert body.rstrip().endswith((b"Envelope>", b"DataSet>"))


def assert_unharmed(done: Night, struck: int) -> None:
    """What is published is what the service told the others."""
    calls = done.ground.table("calls")
    others = calls[calls["session"] > label(struck)]
    assert others["state"].tolist() == ["ok"] * len(others)
    assert len(others) >= UNHARMED
    states = calls.set_index(["session", "window1_minutes", "window2_minutes"])["state"].to_dict()
    stats = done.ground.table("instant_stats")
    assert counts_sent(stats) == counts_told(done.ground.simulator, states)
    assert not done.ground.simulator.control.state()["open_sessions"]


async def test_answers_for_all_that(stack: AsyncExitStack, tmp_path: Path) -> None:
    """UTF-16 that says so by its mark, and 80,000 attributes: read as what they are."""
    done = await night(stack, tmp_path / "struck", Binding.SOAP12, tuple(HARMLESS))
    assert done.ended.code == 0, done.ended.err
    assert done.of("raw", label(1))["body"].iloc[0].startswith(b"\xff\xfe")
    assert len(done.of("raw", label(2))["body"].iloc[0]) > MEGABYTE // 2
    assert_unharmed(done, 0)


@pytest.mark.extended
async def test_every_kind_at_once(stack: AsyncExitStack, tmp_path: Path) -> None:
    """All of them in turn, to every session: each call ends in one state, and truly."""
    simulator = await stack.enter_async_context(
        Simulator(population(20, 3), switches(hostile="p:0.7", hostile_bytes=300_000))
    )
    more = "attempts = 3\n"
    config = CONFIG.format(binding="soap11").replace("attempts = 2\n", more)
    ground = Ground(tmp_path, simulator, config.replace("[60, 120]", "[60, 120, 180, 240]"))
    ended = await ground.run("run")
    said = ended.json
    assert ended.code == 1, ended.err
    assert said["planned"] == 40 == said["ok"] + said["failed"]
    calls = ground.table("calls")
    failed = calls[calls["state"] == "failed"]
    assert set(failed["fault_class"]) <= {MALFORMED, LARGE, "quarantined"}
    raw = ground.table("raw")
    thrown = {each.fault for each in simulator.log.arrivals if each.fault}
    assert len(thrown) > len(HostileKind) // 2
    assert len(raw) == sum(
        each.operation == "ReportInstantStats" for each in simulator.log.arrivals
    )
    assert not any(b"root:" in gzip_opened(body) for body in raw["body"])


def gzip_opened(body: bytes) -> bytes:
    """The body unpacked, if it is packed."""
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def test_every_kind_is_here() -> None:
    """A kind that the simulator learns is tried here too."""
    assert {HostileKind.ANY, *SIZES} == set(HostileKind)
