"""Buckets against what truly happened, event by event: random plans, clocks, orders, gaps, services."""

import numpy as np
import pandas as pd
import pytest

from collector.simulator.switches import Edges, Switches
from collector.simulator.windows import measured
from pipelines.normalize.buckets import traffic_buckets
from tests.pipelines.bucket_worlds import Events, Night

SEED = 20260131


class Tally:
    """What was seen over many nights."""

    def __init__(self) -> None:
        self.cases = self.buckets = self.exact = self.open = self.wide = self.moved = self.sums = 0

    def judge(self, night: Night) -> None:
        """Every promise, on every bucket of a night."""
        buckets = traffic_buckets(night.answers(), one_now=not night.two_nows)
        exact = buckets["exact"].to_numpy(bool)
        truth = night.truth(buckets)
        low = buckets["low"].to_numpy(np.int64)
        high = buckets["high"].to_numpy(np.int64, na_value=2**62)
        assert (buckets["count"][exact].to_numpy(np.int64) == truth[exact]).all()
        assert (low <= truth).all()
        assert (truth <= high).all()
        assert (low >= 0).all()
        known = buckets["count"].notna().to_numpy()
        assert (known == (low == high)).all()
        assert (buckets["count"][known].to_numpy(np.int64) == truth[known]).all()
        assert (known | ~exact).all()
        estimate = buckets["estimate"].to_numpy(np.int64, na_value=0)
        assert ((estimate >= low) & (estimate <= high) | (high == 2**62)).all()
        assert (buckets["bucket_start"] < buckets["bucket_end"]).all()
        assert not buckets.duplicated(["session", "to_minutes", "traffic", "direction"]).any()
        if not night.two_nows:
            self._judge_sums(night, buckets)
        self.cases += night.sessions * 4
        self.buckets += len(buckets)
        self.exact += int(exact.sum())
        self.open += int((high == 2**62).sum())
        self.wide += int((low < high).sum())
        self.moved += int((truth != estimate)[~exact & (high < 2**62)].sum())

    def _judge_sums(self, night: Night, buckets: pd.DataFrame) -> None:
        """Where all are exact they add up to the widest window."""
        series = ["session", "traffic", "direction"]
        groups = buckets.sort_values(series, kind="stable").groupby(series, sort=False)
        whole = groups["exact"].all().to_numpy(bool)
        total = groups["count"].sum().to_numpy(np.int64)
        assert (total == night.counted(groups.tail(1)))[whole].all()
        self.sums += int(whole.sum())


def nights(seed: int, cases: int, mailboxes: int) -> Tally:
    """So many random cases: a case is a session, traffic and direction in a night."""
    events, tally, number = Events(seed, mailboxes), Tally(), 0
    while tally.cases < cases:
        chance = np.random.default_rng([seed, number])
        tally.judge(Night(chance, events, sessions=50, two_nows=chance.random() < 0.1))
        number += 1
    return tally


def test_the_nights_are_the_simulators() -> None:
    """The counts that the cases are made of are those that the simulator would have answered."""
    events = Events(SEED, 8)
    for number in range(40):
        night = Night(np.random.default_rng([SEED, number]), events, sessions=2)
        edges = {
            ("right", "right"): Edges.AFTER_START,
            ("left", "right"): Edges.CLOSED,
            ("left", "left"): Edges.BEFORE_NOW,
        }[night.edges]
        for session, call in np.ndindex(night.shape):
            w1, w2 = night.pairs[call].tolist()
            label = events.labels[night.mailbox[session]]
            now = int(night.nows[session, call, 0])
            said = measured(events.traffic, label, (w1, w2), now, Switches(window_edges=edges))
            assert said.counts == tuple(night.counts[session, call].ravel())


def test_no_bucket_is_wrong() -> None:
    """40,000 cases: exact buckets equal the truth, intervals hold it, sums add up; and the cases are no easy ones."""
    tally = nights(SEED, 40_000, mailboxes=16)
    assert tally.exact > 50_000
    assert tally.wide > 5_000
    assert tally.moved > 1_000  # the difference of the counts alone would have been wrong
    assert tally.sums > 5_000


@pytest.mark.extended
@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_bucket_is_wrong_in_a_million_cases() -> None:
    """The same for a million cases of 64 mailboxes."""
    tally = nights(SEED + 1, 1_000_000, mailboxes=64)
    assert tally.cases >= 1_000_000
    assert tally.buckets > 6_500_000
    assert tally.exact > 4_400_000
    assert tally.sums > 290_000
