"""The ground of the nightly job's tests."""

from tests.nightly.conftest import ground

__all__ = ["ground"]
