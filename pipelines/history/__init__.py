"""The history: observations of all runs -> one row per span, and the spans that the next plan asks for."""

from pipelines.history.asked import Asked, asked_of, calls_for_spans
from pipelines.history.derive import STATES, derive
from pipelines.history.reconcile import reconcile
from pipelines.history.stretches import Stretches
from pipelines.history.wanted import Coverage, Grid, Known, Wanted, coverage_of, known_of, wanted_of

__all__ = [
    "STATES",
    "Asked",
    "Coverage",
    "Grid",
    "Known",
    "Stretches",
    "Wanted",
    "asked_of",
    "calls_for_spans",
    "coverage_of",
    "derive",
    "known_of",
    "reconcile",
    "wanted_of",
]
