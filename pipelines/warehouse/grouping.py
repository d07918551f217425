"""Which publications must go in together: those that share a file. Pure."""

from collections.abc import Collection, Sequence

from pipelines.warehouse.behaviour import Step
from pipelines.warehouse.publications import Publication

__all__ = ["joined"]


def joined(publications: Sequence[Publication], files: Sequence[Collection[str]]) -> list[Step]:
    """The publications in groups, in their order; `files` has the files of each.

    Two that share a file are in one group, and so is whoever shares one with either.
    """
    group = list(range(len(publications)))

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = group[group[number]]
            number = group[number]
        return number

    first: dict[str, int] = {}
    for number, names in enumerate(files):
        for name in names:
            other = root(first.setdefault(name, number))
            own = root(number)
            group[max(own, other)] = min(own, other)
    steps: dict[int, list[Publication]] = {}
    for number, publication in enumerate(publications):
        steps.setdefault(root(number), []).append(publication)
    return [tuple(step) for step in steps.values()]
