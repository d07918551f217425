"""Draws curves: figures as JSON on stdin, the SVG's path as the argument. Runs in the peers' environment."""

import json
import sys

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "bench"  # the same figures make the same file
from matplotlib import pyplot as plt  # noqa: E402  # after the backend is chosen


def main() -> None:
    """Both axes are logarithmic: a straight line of slope 1 is a cost that grows as the size does."""
    found = json.load(sys.stdin)
    figure, axes = plt.subplots(figsize=(6, 4))
    for name, points in found["curves"].items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(found["axes"][0])
    axes.set_ylabel(found["axes"][1])
    axes.set_title(found["title"])
    axes.grid(visible=True, which="major", alpha=0.4)
    axes.legend()
    figure.tight_layout()
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
