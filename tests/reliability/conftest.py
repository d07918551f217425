"""The ground of the nightly job's tests, for those of its reliability."""

from tests.nightly.conftest import ground

__all__ = ["ground"]
