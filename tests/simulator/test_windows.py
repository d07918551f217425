"""What a window is, and what a mailbox without traffic is answered: the switches nobody documents."""

import pytest

from collector.simulator import Direction, Event, ListedTraffic, Simulator, Switches
from tests.simulator.switched import NOW, NOW_US, PEOPLE, TRUE, switched
from tests.simulator.wire import counts, stats

WINDOWS = {
    "documented": ({}, (30, 90), [0, 0, 0, 0, 1, 0, 2, 0]),
    "closed edges": ({"window_edges": "closed"}, (30, 90), [1, 0, 2, 0, 1, 1, 2, 1]),
    "before now": ({"window_edges": "before-now"}, (30, 90), [1, 0, 2, 0, 1, 1, 2, 1]),
    "lag": ({"statistics_lag_seconds": "60"}, (30, 89), [1, 0, 2, 0, 1, 0, 2, 0]),
    "two nows": ({"second_now_seconds": "60"}, (31, 31), [1, 0, 2, 0, 0, 0, 0, 0]),
    "one now": ({}, (31, 31), [1, 0, 2, 0, 1, 0, 2, 0]),
    "clock ahead": ({"clock_offset_seconds": "60"}, (31, 92), [0, 0, 0, 0, 1, 1, 2, 1]),
    "full minutes": (
        {"clock_offset_seconds": "59", "truncate_minutes": "true"},
        (31, 91),
        [1, 0, 2, 0, 1, 1, 2, 1],
    ),
    "swapped": ({}, (120, 60), [*TRUE[4:], *TRUE[:4]]),
    "no minutes": ({}, (0, -5), [0] * 8),
}


@pytest.mark.parametrize("case", WINDOWS)
async def test_windows(case: str) -> None:
    """What a window is, in every way somebody might have meant it."""
    switches, minutes, wanted = WINDOWS[case]
    async with switched(**switches) as simulator:
        assert counts(await stats(simulator, minutes=minutes)) == wanted


async def test_windows_end_now_inclusively() -> None:
    """An event at this very instant counts, unless windows end before now."""
    events = ListedTraffic({"mailbox-0001": [Event(NOW_US, Direction.IN, 1)]})
    for edges, count in (("after-start", 1), ("before-now", 0)):
        switches = Switches.parse({"window_edges": edges})
        async with Simulator(PEOPLE, switches, now=NOW, traffic=events) as simulator:
            assert counts(await stats(simulator))[0] == count


@pytest.mark.parametrize(("quiet", "rows"), [("zeros", 1), ("no-row", 0)])
async def test_a_mailbox_without_traffic(quiet: str, rows: int) -> None:
    """A row of zeros, or no row."""
    async with switched(quiet_mailbox=quiet) as simulator:
        silent = await stats(simulator, "fake-key-0002")
        assert silent.text.count("<Table ") == rows
        assert counts(await stats(simulator)) == TRUE
