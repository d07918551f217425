"""The picture of the page in README.md: `python -m tests.report.picture docs/page.png`.

Plays the fortnight of `ecgrid-stats demo` and takes the first screen of its newest night, 1280 pixels wide, in the
light theme.
"""

import subprocess
import sys
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Final

from tests.architecture.sources import ROOT
from tests.report.chromium import chromium, shown

__all__ = ["HEIGHT", "WIDTH"]

WIDTH: Final = 1280
HEIGHT: Final = 900
_LIMIT_SECONDS: Final = 300


def _picture(folder: Path) -> bytes:
    """A PNG of the page of a demo that is played below the folder."""
    root = folder / "demo"
    subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "demo", "--nights", "14", "--root", str(root)],
        cwd=ROOT,
        check=True,
        timeout=_LIMIT_SECONDS,
    )
    *_, newest = sorted(path for path in (root / "reports").glob("*.html") if path.stem != "index")
    with chromium(folder / "profile") as browser:
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        shown(browser, newest, width=WIDTH, height=HEIGHT)
        found = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return b64decode(found["data"])


if __name__ == "__main__":
    (place,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        Path(place).write_bytes(_picture(Path(folder)))
