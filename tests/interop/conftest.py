"""The real ASP.NET stack as a fixture: one for all tests of this folder."""

import os
from collections.abc import Iterator

import pytest

from tests.interop.stack import RealStack, missing_packages, serving


@pytest.fixture(scope="session")
def real_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStack]:
    """The served C# service; a skip that names the packages where they are missing."""
    if missing := missing_packages():
        reason = f"the ASP.NET stack needs these Debian packages: {', '.join(sorted(set(missing)))}"
        if os.environ.get("ECGRID_STATS_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with serving(tmp_path_factory.mktemp("real-stack")) as stack:
        yield stack
