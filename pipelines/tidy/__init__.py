"""Decoded answers -> the rows that are published. Pure, columns at a time; no XML and no files."""

from pipelines.tidy.answers import ANSWERS, AnswerGroup, TableRows
from pipelines.tidy.buckets import COUNTED, counted, probes_disagree, traffic_buckets
from pipelines.tidy.extras import dataset_extras
from pipelines.tidy.facts import METRICS, Counts, counts_of, folded, instant_stats

__all__ = [
    "ANSWERS",
    "COUNTED",
    "METRICS",
    "AnswerGroup",
    "Counts",
    "TableRows",
    "counted",
    "counts_of",
    "dataset_extras",
    "folded",
    "instant_stats",
    "probes_disagree",
    "traffic_buckets",
]
