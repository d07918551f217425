"""A batch of answers, as frames, and the tables that are made of them.

Someone who wants another table out of the same answers writes a function from a batch to a frame, declares the table in
`pipelines.contract.tables`, and names both in `TABLES_OF_ANSWERS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from pipelines.contract import DATASET_EXTRAS, INSTANT_STATS
from pipelines.normalize.answers import AnswerGroup
from pipelines.normalize.counts import Counts
from pipelines.normalize.extras import extras_of
from pipelines.normalize.facts import facts_of

__all__ = ["TABLES_OF_ANSWERS", "AnswerBatch"]


@dataclass(frozen=True, slots=True)
class AnswerBatch:
    """Answers that were read and checked, thousands at a time.

    Attributes:
        answers: what was asked and when, one row for each; see `answers.answers_of`.
        groups: their DataSets as Arrow tables, those of one schema together.
        counts: of the answers with rows that passed the checks, or only have warnings.
        pairs: of the same, a row for each traffic and direction; see `pairs.pairs_of`.
    """

    answers: pd.DataFrame
    groups: tuple[AnswerGroup, ...]
    counts: Counts
    pairs: pd.DataFrame


# by the name of the table; its rows, but for run_id
TABLES_OF_ANSWERS: Final[Mapping[str, Callable[[AnswerBatch], pd.DataFrame]]] = {
    INSTANT_STATS.name: lambda batch: facts_of(batch.pairs),
    DATASET_EXTRAS.name: lambda batch: extras_of(batch.answers, batch.groups, batch.counts),
}
