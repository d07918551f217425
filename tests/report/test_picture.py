"""The picture that README.md shows of the page."""

import struct

from tests.architecture.sources import ROOT
from tests.report.picture import HEIGHT, WIDTH

PICTURE = ROOT / "docs/page.png"
LARGEST = 200_000  # bytes


def test_the_picture_is_as_it_was_made() -> None:
    """A PNG of one screen, small enough to be in a repository; README shows it and says how it is made."""
    data = PICTURE.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">4sII", data[12:24]) == (b"IHDR", WIDTH, HEIGHT)
    assert len(data) <= LARGEST
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](docs/page.png)" in readme
    assert "python -m tests.report.picture docs/page.png" in readme
