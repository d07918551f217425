import os
from pathlib import Path

import pytest

from collector.config import ApiKey, Login, Settings, credentials, load
from collector.domain.secret import Secret
from collector.errors import ConfigError

BASE = '[service]\nurl = "https://host.invalid/x"\n[windows]\nminutes = [60]\n'


def settings_of(**references: str) -> Settings:
    """A configuration of one session."""
    return Settings.model_validate(
        {
            "service": {"url": "https://host.invalid/x"},
            "windows": {"minutes": [60]},
            "sessions": [{"label": "acme"} | references],
        }
    )


def refusal(folder: Path, **references: str) -> str:
    """What is said of a reference that leads nowhere; it names session, key and reference."""
    with pytest.raises(ConfigError) as refused:
        credentials(settings_of(**references), folder)
    said = str(refused.value)
    key, reference = next(iter(references.items()))
    assert said.startswith(f"session 'acme': {key} = {reference!r}: ")
    assert "\n" not in said
    assert "fake" not in said
    return said


def private(path: Path, content: bytes) -> Path:
    """A file that only its owner may read."""
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable's value, without the space around it."""
    monkeypatch.setenv("A_KEY", "  fake-key-0001\n")
    assert credentials(settings_of(api_key="env:A_KEY"), tmp_path) == {
        "acme": ApiKey(Secret("fake-key-0001"))
    }


def test_files(tmp_path: Path) -> None:
    """A path is relative to the configuration's folder; a line end or byte order mark is no part of the secret."""
    private(tmp_path / "name", b"fake-name\r\n")
    absolute = private(tmp_path / "password", b"\xef\xbb\xbffake pass:w\xc3\xb6rd\n")
    found = credentials(settings_of(login_name="file:name", password=f"file:{absolute}"), tmp_path)
    assert found == {"acme": Login(Secret("fake-name"), Secret("fake pass:wörd"))}


@pytest.mark.parametrize("value", [None, "", " \t\n", "fake\nfake", "fake\x01", "fake\udcff"])
def test_bad_variables(value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is missing, empty or no line of text."""
    if value is not None:
        monkeypatch.setenv("A_KEY", value)
    said = refusal(tmp_path, api_key="env:A_KEY")
    expected = (
        "is not set" if value is None else "one line of text" if value.strip() else "is empty"
    )
    assert expected in said


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\xff\xfefake", b"fake\nfake\n", b"fake\0", b"f" * 65_537],
    ids=["empty", "blank", "no-text", "lines", "nul", "endless"],
)
def test_bad_files(content: bytes, tmp_path: Path) -> None:
    """A file that is empty or holds something else than one line of text."""
    private(tmp_path / "key", content)
    assert refusal(tmp_path, api_key="file:key")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """An absent file, and a folder."""
    assert "No such file" in refusal(tmp_path, api_key="file:absent")
    (tmp_path / "folder").mkdir()
    assert "s a directory" in refusal(tmp_path, api_key="file:folder")


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666, 0o444])
def test_world_readable_files(mode: int, tmp_path: Path) -> None:
    """A secret that everybody on the machine can read is refused, with the command that helps."""
    private(tmp_path / "key", b"fake-key").chmod(mode)
    said = refusal(tmp_path, api_key="file:key")
    assert f"can be read by everyone (mode {mode:04o})" in said
    assert f"chmod 0600 {tmp_path / 'key'}" in said


@pytest.mark.parametrize("kind", ["FIFO", "device", "folder"])
def test_what_is_no_file(kind: str, tmp_path: Path) -> None:
    """A FIFO that nobody writes to, or a device without an end, is refused at once."""
    place = {"FIFO": tmp_path / "fifo", "device": Path("/dev/zero"), "folder": tmp_path}[kind]
    if kind == "FIFO":
        os.mkfifo(place, 0o600)
    said = refusal(tmp_path, api_key=f"file:{place}")
    assert "no plain file" in said or "Is a directory" in said


def test_file_readable_through_a_link(tmp_path: Path) -> None:
    """What counts is the file that is read."""
    private(tmp_path / "key", b"fake-key").chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "key")
    assert "can be read by everyone" in refusal(tmp_path, api_key="file:link")


def listed(folder: Path, content: str | bytes, own: str = "") -> Settings:
    """A configuration with that sessions file."""
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "s.csv").write_bytes(data)
    (folder / "x.toml").write_text(f'sessions_file = "s.csv"\n{BASE}{own}')
    return load(folder / "x.toml")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_sessions_file(mark: bytes, end: bytes, tmp_path: Path) -> None:
    """Sessions beside those of the file itself; empty cells are absent; Excel's byte order mark does no harm."""
    lines = [
        b"label,api_key,login_name,password",
        b"a,env:A,,",
        b"b,,env:B,file:b",
        b'"c, ""d""",env:C,,',
        b"e,env:E",
    ]
    found = listed(
        tmp_path, mark + end.join(lines), '[[sessions]]\nlabel = "own"\napi_key = "env:O"'
    )
    assert [one.label for one in found.sessions] == ["own", "a", "b", 'c, "d"', "e"]
    assert (found.sessions[2].api_key, found.sessions[2].password) == (None, "file:b")


def test_thousands_of_sessions(tmp_path: Path) -> None:
    """Five thousand rows are no trouble."""
    rows = "\n".join(f"mailbox-{n},env:K" for n in range(5_000))
    assert len(listed(tmp_path, f"label,api_key\n{rows}\n").sessions) == 5_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "columns (none): must be label, api_key, login_name, password"),
        ("api_key\nenv:A", "columns api_key: must be label"),
        ("label,apikey\na,env:A", "columns label, apikey: must be label"),
        ("label,api_key\na,env:A,env:B", "line 2: too many cells"),
        ("label,api_key\na,env:A\na,env:B", "label 'a' stands twice"),
        ("label,api_key\na,fake-key-0001", "must be env:NAME or file:PATH"),
        ("label,api_key\n,env:A", "line 2, label is missing: must be the session's name"),
        ("label,api_key\n \u3000 ,env:A", "line 2, label is missing: must be"),
        ("label,api_key\na,env:A\n a ,env:B", "label 'a' stands twice"),
        ("label,login_name\na,env:A", "belong together"),
        ("label,api_key,api_key\na,,env:A", "columns label, api_key, api_key: must be label"),
        ("label,api_key\na,env:\0A", "line 2, api_key: must be text without the character 0"),
        ("label,api_key\na\0b,env:A", "line 2, label = 'a\\x00b': must be text without"),
        ('label,api_key\n\n"a",env:A\nb,fake-key-0002', "s.csv, line 4, api_key: must be env:NAME"),
        ('label,api_key\n"a,env:A', "not a CSV file"),
        (b"label,api_key\n\xff,env:A", "not a CSV file"),
        ("label,api_key\n", "there are none"),
    ],
)
def test_bad_sessions_files(content: str | bytes, said: str, tmp_path: Path) -> None:
    """Every mistake is named, and no literal credential shown."""
    with pytest.raises(ConfigError) as refused:
        listed(tmp_path, content)
    assert said in str(refused.value)
    assert "fake" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        "label, api_key\na, env:A\n",
        "label ,api_key \na ,env:A \n",
        "\tlabel\t,\tapi_key\t\n\ta\t,\tenv:A\t\n",
        'label,api_key\n" a ","\u00a0env:A "\n',
    ],
)
def test_space_around_a_cell(content: str, tmp_path: Path) -> None:
    """Who writes by hand likes it; it is part of no label and of no variable's name."""
    assert listed(tmp_path, content) == listed(tmp_path, "label,api_key\na,env:A\n")


def test_a_row_is_named_by_its_line(tmp_path: Path) -> None:
    """Whatever sessions the configuration has beside the file."""
    own = '[[sessions]]\nlabel = "own"\napi_key = "env:O"'
    with pytest.raises(ConfigError, match=r"s\.csv, line 3, label = 'x+': must have at most"):
        listed(tmp_path, f"label,api_key\na,env:A\n{'x' * 301},env:B\n", own)
    with pytest.raises(ConfigError, match=r"sessions\.0\.api_key: must be env:NAME"):
        listed(tmp_path, "label,api_key\na,env:A\n", own.replace("env:O", "fake"))


def test_absent_sessions_file(tmp_path: Path) -> None:
    """It is named with its whole path."""
    (tmp_path / "x.toml").write_text(f'sessions_file = "absent.csv"\n{BASE}')
    with pytest.raises(ConfigError, match=r"sessions_file .*absent\.csv: No such file"):
        load(tmp_path / "x.toml")
