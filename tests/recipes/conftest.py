"""The fortnight, laid once for all tests of a session."""

import asyncio

import pytest

from tests.recipes.document import MAILBOXES
from tests.recipes.fortnight import Fortnight, lay


@pytest.fixture(scope="session")
def fortnight(tmp_path_factory: pytest.TempPathFactory) -> Fortnight:
    """Fifteen runs, where the page looks for them."""
    folder = tmp_path_factory.mktemp("fortnight")
    found = asyncio.run(lay(folder))
    (folder / "data" / "demo").symlink_to(folder / "data", target_is_directory=True)
    (folder / "mailboxes.csv").write_text(MAILBOXES, encoding="utf-8")
    return found
