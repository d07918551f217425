"""The printout of a saved reply."""

import os
import subprocess
import sys
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


def test_a_saved_head_may_end_its_lines_with_line_feeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As some tools save them; its charset counts."""
    head, _, body = (_SAMPLES / "direction-rows" / "get.http").read_bytes().partition(b"\r\n\r\n")
    file = tmp_path / "reply.http"
    head = head.replace(b"\r\n", b"\n").replace(b"utf-8", b"iso-8859-1")
    file.write_bytes(head + b"\n\n" + body.replace(b">In<", b">\xe9<"))
    assert main([str(file)]) == 0
    assert "'Direction': '\u00e9'" in capsys.readouterr().out


def test_a_reader_that_leaves_early_and_letters_that_it_lacks() -> None:
    """`| head -1` ends it without a word; what cannot be printed is escaped."""
    file = _SAMPLES / "names-encoded" / "soap11.http"
    command = [sys.executable, "-m", "pipelines.dataset", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.close()
        assert program.stderr is not None
        assert program.stderr.read() == b""
        assert program.wait(30) == 0
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=ascii_only, capture_output=True, timeout=30, check=True)
    assert b"na\\xefve" in done.stdout


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
