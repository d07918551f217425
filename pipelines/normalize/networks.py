"""What was asked for a whole network beside the sum of its mailboxes: which of the two that 0 may mean it seems to be.

Only what one answer counted between the same two edges is compared, and only where the run has that of every mailbox of
the network that it asks for. Edges are true to half a minute, so sums are the same if they are within a tenth.
"""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from pipelines.contract.scopes import NETWORK, named_ids, scope_of

__all__ = ["ROOT", "compared", "exact_of", "networks_of"]

ROOT: Final = "root"

_SUM: Final = "sum"
_MORE: Final = "more"
_SAID: Final = {
    _SUM: "it seems to be the sum of its mailboxes",
    ROOT: "it seems to be its Root mailbox alone, which sums leave out",
    _MORE: "it seems to be neither: are all of its mailboxes asked for?",
}
_FEWEST: Final = 20  # counts of a series: fewer tell nothing
_A_TENTH: Final = 10
_SPAN: Final = ["network_id", "span_start", "span_end", "traffic", "direction"]
_SERIES: Final = ["session", "traffic", "direction"]


def networks_of(calls: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """By session, `network_id, is_total` of the networks that a run asks for as a whole; one label for each mailbox.

    What asks for an ECGridID is left out: it is a part of a mailbox.

    Args:
        calls: `session, call_id` of the ledger, at least one of each session.
        known: by label, what WhoAmI said: `network_id, mailbox_id`.
    """
    one = calls.drop_duplicates("session").set_index("session")
    named = named_ids(one["call_id"])
    own = known[["network_id", "mailbox_id"]].reindex(one.index)
    found = named[["network_id", "mailbox_id"]].where(named["network_id"].notna(), own)
    is_total = (scope_of(one["call_id"]) == NETWORK).astype(bool)
    of_total = found["network_id"].isin(found[is_total]["network_id"])
    is_part = of_total & found["network_id"].notna() & ~(named["ecgrid_id"] > 0).fillna(value=False)
    asked = found.assign(is_total=is_total)[is_part.astype(bool)]
    is_same = asked.duplicated(["network_id", "mailbox_id"]) & asked["mailbox_id"].notna()
    return asked[asked["is_total"] | ~is_same][["network_id", "is_total"]]


def exact_of(buckets: pd.DataFrame, networks: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What some sessions' answers counted between two edges: of networks, by session, and of their mailboxes, summed.

    Args:
        buckets: rows of `traffic_buckets` of whole sessions.
        networks: as `networks_of` gives them.
    """
    is_exact = buckets["exact"] & buckets["span_start"].notna() & buckets["span_end"].notna()
    rows = buckets[is_exact.astype(bool) & buckets["session"].isin(networks.index)]
    rows = rows[["session", *_SPAN[1:], "count"]].join(networks, on="session")
    is_total = rows["is_total"].astype(bool)
    parts = rows[~is_total].groupby(_SPAN, as_index=False)["count"].agg(["sum", "size"])
    return rows[is_total], parts


def compared(
    exact: Sequence[tuple[pd.DataFrame, pd.DataFrame]], networks: pd.DataFrame
) -> pd.DataFrame:
    """By session that asks for a whole network, what it seems to be: `seems, said`; none where nothing can be told."""
    totals = pd.concat([total for total, _ in exact])
    parts = pd.concat([part for _, part in exact]).groupby(_SPAN, as_index=False).sum()
    mailboxes = networks[~networks["is_total"].astype(bool)].groupby("network_id").size()
    both = totals.merge(parts, on=_SPAN)
    both = both[both["size"] == both["network_id"].map(mailboxes)]
    series = both.groupby([*_SERIES, "network_id", "size"], as_index=False)[["count", "sum"]].sum()
    is_told = series[["count", "sum"]].max(axis=1) >= _FEWEST
    off = (series["count"] - series["sum"]) * _A_TENTH
    series = series.assign(
        is_told=is_told,
        is_less=(series["sum"] >= _FEWEST) & (off < -series["sum"]),
        is_more=is_told & (off > series["sum"]),
    )
    by = series.groupby("session")
    found = by.agg(
        total=("count", "sum"), together=("sum", "sum"), network_id=("network_id", "first"),
        mailboxes=("size", "first"), is_told=("is_told", "any"), is_less=("is_less", "any"),
        is_more=("is_more", "any"),
    )  # fmt: skip
    found = found[found["is_told"].astype(bool)]
    seems = pd.Series(_SUM, found.index, "object").mask(found["is_more"].astype(bool), _MORE)
    seems = seems.mask(found["is_less"].astype(bool), ROOT)
    said = [
        f"it counts {row.total} where the {row.mailboxes} mailboxes of network {row.network_id} that are asked for"
        f" count {row.together}: {_SAID[what]}"
        for row, what in zip(found.itertuples(), seems, strict=True)
    ]
    return pd.DataFrame({"seems": seems, "said": pd.Series(said, found.index, "object")})
