"""The pandas stage: what a run landed -> frames -> the published tables.

One answer's way: `decode` reads its DataSet, `counts` has its eight counts in a row, `pairs` each count of both windows
side by side, `facts` a row for each window, `pipelines.contract.casting` makes these rows of the table, and
`normalization` hands them to the lake. Beside it: `checks`, `extras`, `buckets`, and `ledger` for the calls.
"""

from pipelines.normalize.normalization import Normalized, normalize

__all__ = ["Normalized", "normalize"]
