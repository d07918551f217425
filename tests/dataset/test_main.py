"""The printout of a saved reply."""

from pathlib import Path

import pytest

from pipelines.dataset.__main__ import main
from tests.dataset.samples import body_of

_SAMPLES = Path(__file__).parent.parent / "asmx-samples"


def test_prints_schema_and_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """A whole HTTP response: columns with their types, rows with their states."""
    assert main([str(_SAMPLES / "row-states" / "post.http"), "--rows", "2"]) == 0
    printed = capsys.readouterr().out
    assert "table 'Table': 6 rows" in printed
    assert "'ID' System.Int32 -> int32" in printed
    assert "1 modified: {'ID': 2" in printed
    assert "... 4 more" in printed
    assert "deleted: 1 rows" in printed


def test_prints_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A body alone; values that do not fit are listed, unless strictness is asked for."""
    file = tmp_path / "reply.xml"
    file.write_bytes(body_of("documented", "soap11")[0].replace(b">104<", b">ten<"))
    assert main([str(file)]) == 0
    assert "reject: table 'Table', row 0, column 'ParcelsIn1': 'ten'" in capsys.readouterr().out
    assert main([str(file), "--strict"]) == 1
    assert "ValueFormatError" in capsys.readouterr().err


@pytest.mark.parametrize(("content", "code"), [(b"<html/>", 1), (None, 2)])
def test_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, code: int
) -> None:
    """No DataSet, or no file."""
    file = tmp_path / "reply.xml"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == code
    assert capsys.readouterr().err
