"""`python -m pipelines.cli`."""

from pipelines.cli import main

__all__: list[str] = []

main()
