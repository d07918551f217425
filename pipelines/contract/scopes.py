"""Whose traffic an answer counts, told by the id of its call: a mailbox's, or that of a whole network. Pure.

Where a call names ids, they are the first of its arguments: NetworkID, MailboxID, ECGridID. Nobody documents whether 0
for MailboxID is all of the network or its Root mailbox, so it is a scope of its own, and no sum has both.
"""

from typing import Final

import pandas as pd
import pyarrow as pa

__all__ = ["MAILBOX", "NETWORK", "SCOPES", "named_ids", "scope_of"]

MAILBOX: Final = "mailbox"
NETWORK: Final = "network"
SCOPES: Final = (MAILBOX, NETWORK)

_OF_NETWORK: Final = r":\d+,0,0,[^:,]+$"
_IDS: Final = r":(?P<network_id>\d+),(?P<mailbox_id>\d+),(?P<ecgrid_id>\d+),[^:,]+$"
_TEXT: Final = pd.ArrowDtype(pa.string())
_INTEGER: Final = pd.ArrowDtype(pa.int64())


def scope_of(call_id: pd.Series) -> pd.Series:
    """The scope of each call, by its id, as the column `scope` has it."""
    call_id = call_id.astype(_TEXT)
    is_network = call_id.str.contains(_OF_NETWORK).fillna(value=False).astype(bool)
    return pd.Series(MAILBOX, call_id.index, call_id.dtype).mask(is_network, NETWORK)


def named_ids(call_id: pd.Series) -> pd.DataFrame:
    """`network_id, mailbox_id, ecgrid_id` that each call names, by its id; null where it asks for the session's own."""
    return call_id.astype(_TEXT).str.extract(_IDS).astype(_INTEGER)
