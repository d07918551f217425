import os
from pathlib import Path

import pytest

from collector.config import (
    ApiKey,
    Credential,
    Login,
    Settings,
    Unreadable,
    credentials,
    load,
    referred,
    require_readable,
)
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
    """What is said of a reference that leads nowhere; it names key and reference."""
    found = credentials(settings_of(**references), folder)["acme"]
    assert isinstance(found, Unreadable)
    said = found.reason
    key, reference = next(iter(references.items()))
    assert said.startswith(f"{key} = {reference!r}: ")
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
    assert "not a regular file" in said or "Is a directory" in said


def test_the_longest_secret(tmp_path: Path) -> None:
    """What is as long as may be is read whole."""
    private(tmp_path / "key", b"f" * 65_536)
    (found,) = credentials(settings_of(api_key="file:key"), tmp_path).values()
    assert found == ApiKey(Secret("f" * 65_536))


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("env:A_KEY", "fake-key-0001"),
        ("file:key", "fake-key-0002"),
        ("file:///var/lib/x", "file:///var/lib/x"),
        ("env://x", "env://x"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_value_that_may_be_a_reference(
    value: str, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is none, or an address, stands for itself."""
    monkeypatch.setenv("A_KEY", "fake-key-0001")
    private(tmp_path / "key", b"fake-key-0002")
    assert referred("warehouse.x", value, tmp_path) == Secret(secret)


def test_a_value_that_refers_to_nothing(tmp_path: Path) -> None:
    """It is named with its key."""
    with pytest.raises(ConfigError, match=r"^warehouse\.x = 'env:NONE_1': .* NONE_1 is not set"):
        referred("warehouse.x", "env:NONE_1", tmp_path)


@pytest.mark.parametrize(
    "credential",
    [ApiKey(Secret("fake-1")), Login(Secret("fake-1"), Secret("fake-2")), Unreadable("gone")],
    ids=lambda one: type(one).__name__,
)
def test_credentials_cannot_be_changed(credential: Credential) -> None:
    """They are keys of tables, too."""
    name = next(iter(credential.__dataclass_fields__))
    with pytest.raises(AttributeError):
        setattr(credential, name, "other")
    assert not hasattr(credential, "__dict__")
    assert len({credential, credential}) == 1


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


def test_every_session_has_a_credential_or_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be read stands in nobody's way; half a login is none, and both halves are named."""
    monkeypatch.setenv("A_KEY", "fake-key-0001")
    found = credentials(
        listed(
            tmp_path,
            "label,api_key,login_name,password\n"
            "a,env:A_KEY\nb,env:NONE_1\nc,,env:NONE_2,file:absent\nd,,env:A_KEY,env:NONE_3\n",
        ),
        tmp_path,
    )
    assert list(found) == ["a", "b", "c", "d"]
    assert found["a"] == ApiKey(Secret("fake-key-0001"))
    assert found["b"] == Unreadable(
        "api_key = 'env:NONE_1': the environment variable NONE_1 is not set where this command runs"
    )
    assert found["c"] == Unreadable(
        "login_name = 'env:NONE_2': the environment variable NONE_2 is not set where this command runs;"
        f" password = 'file:absent': {tmp_path / 'absent'} cannot be read (No such file or directory); must be a"
        " file that this user may read"
    )
    assert isinstance(found["d"], Unreadable)
    assert "login_name" not in found["d"].reason
    require_readable(found)


@pytest.mark.parametrize("count", [1, 2, 20, 21, 5_000])
def test_not_one_credential_can_be_read(count: int) -> None:
    """All are named; of many, the first twenty and how many more there are."""
    found: dict[str, Credential] = {f"s{n}": Unreadable(f"reason {n}") for n in range(count)}
    with pytest.raises(ConfigError) as refused:
        require_readable(found)
    named = [f"session 's{n}': reason {n}" for n in range(min(count, 20))]
    more = [f"and {count - 20} more"] if count > 20 else []
    assert str(refused.value).split("; ") == named + more


def test_one_credential_that_can_be_read_is_enough() -> None:
    """Whichever it is."""
    bad = Unreadable("no such file")
    require_readable({"a": bad, "b": ApiKey(Secret("fake-key-0001")), "c": bad})
    require_readable({"a": Login(Secret("fake-name"), Secret("fake-password")), "b": bad})


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("separator", [b",", b";", b"\t"])
def test_sessions_file(mark: bytes, end: bytes, separator: bytes, tmp_path: Path) -> None:
    """Sessions beside those of the file itself; empty cells and rows are absent; Excel's forms are read as they are."""
    lines = [
        [b"label", b"api_key", b"login_name", b'"password"'],
        [b"a", b"env:A", b"", b""],
        [b"", b"", b"", b""],
        [b"b", b"", b"env:B", b"file:b"],
        [b'"c, ""d"""', b"env:C", b"", b""],
        [b'"d; e"', b"env:D"],
        [b'" e "', b'"env:E"'],
        [b'"a,b;c"', b"env:F"],
    ]
    content = mark + end.join(separator.join(cells) for cells in lines)
    found = listed(tmp_path, content, '[[sessions]]\nlabel = "own"\napi_key = "env:O"')
    labels = ["own", "a", "b", 'c, "d"', "d; e", "e", "a,b;c"]
    assert [one.label for one in found.sessions] == labels
    assert (found.sessions[2].api_key, found.sessions[2].password) == (None, "file:b")
    assert found.sessions[5].api_key == "env:E"


def test_a_label_may_hold_the_other_separators(tmp_path: Path) -> None:
    """The first line decides; in the others they are characters like any other."""
    found = listed(tmp_path, "label;api_key\na, b;env:A\n")
    assert [one.label for one in found.sessions] == ["a, b"]
    found = listed(tmp_path, "api_key,label\nenv:A,a; b\n")
    assert [one.label for one in found.sessions] == ["a; b"]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("label,api_key\nacme;word-0001", "commas"),
        ("label,api_key\nacme\tword-0001", "commas"),
        ("label;api_key\nacme,word-0001", "semicolons"),
        ("label\tapi_key\nacme,word-0001", "tabs"),
        ("api_key,label\nword-0001;acme", "commas"),
    ],
)
def test_a_row_with_another_separator(content: str, wanted: str, tmp_path: Path) -> None:
    """All of it would be a label, its credential included: nothing of it is shown."""
    with pytest.raises(ConfigError) as refused:
        listed(tmp_path, content)
    said = str(refused.value)
    assert said.endswith(
        f"s.csv, line 2: must have its cells separated by {wanted}, as the first line has"
    )
    assert "0001" not in said


IDS = ["network_id", "mailbox_id", "ecgrid_id"]


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_ids_in_a_sessions_file(order: int, tmp_path: Path) -> None:
    """Whole numbers in columns of any order; an empty cell is none."""
    columns = ["label", "api_key", *IDS]
    rows = [columns, ["a", "env:A", "314", "0", ""], ["b", "env:B", "2147483647", "", " 1 "]]
    text = "\n".join(";".join(row[order:] + row[:order]) for row in rows)
    a, b = listed(tmp_path, text).sessions
    assert (a.network_id, a.mailbox_id, a.ecgrid_id) == (314, 0, None)
    assert (b.network_id, b.mailbox_id, b.ecgrid_id) == (2**31 - 1, None, 1)


@pytest.mark.parametrize("key", IDS)
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("-1", " = -1"),
        ("2147483648", " = 2147483648"),
        ("9" * 20, " = " + "9" * 20),
        ("1.5", " = '1.5'"),
        ("x", " = 'x'"),
        ("\u0663", " = '\u0663'"),
        ("1_000", " = '1_000'"),
        ("env:ID", " = 'env:ID'"),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", ""),
        ("9" * 5_000, ""),
    ],
)
def test_ids_that_are_none(key: str, value: str, shown: str, tmp_path: Path) -> None:
    """The message has label, line, key and what is right; and the value, unless it is as long as an API key."""
    with pytest.raises(ConfigError) as refused:
        listed(tmp_path, f"label,api_key,{key}\na,env:A,{value}\n")
    wanted = "must be a whole number, 0 to 2147483647"
    assert str(refused.value).endswith(f"s.csv, line 2): {key}{shown}: {wanted}")


@pytest.mark.parametrize("key", IDS[1:])
def test_an_id_without_its_network(key: str, tmp_path: Path) -> None:
    """A mailbox or an ECGrid id alone says too little."""
    with pytest.raises(ConfigError, match=rf"line 2\): {key} needs network_id, the network"):
        listed(tmp_path, f"label,api_key,network_id,{key}\na,env:A,,0\n")


def test_a_label_in_both_files(tmp_path: Path) -> None:
    """Both places are named."""
    own = (
        '[[sessions]]\nlabel = "x"\napi_key = "env:X"\n[[sessions]]\nlabel = "a"\napi_key = "env:A"'
    )
    with pytest.raises(ConfigError) as refused:
        listed(tmp_path, "label,api_key\nb,env:B\n\na,env:A\n", own)
    assert str(refused.value).endswith(
        f"label 'a' stands twice, at sessions, entry 2 and at sessions_file {tmp_path / 's.csv'},"
        " line 4; labels must differ"
    )


def test_many_bad_rows(tmp_path: Path) -> None:
    """Thousands of mistakes are as quickly told as one: the first three, and how many more."""
    rows = "\n".join(f"mailbox-{n},fake" for n in range(5_000))
    with pytest.raises(ConfigError, match=r"line 2\).* line 3\).* line 4\).*\(and 4997 more\)$"):
        listed(tmp_path, f"label,api_key\n{rows}\n")


def test_thousands_of_sessions(tmp_path: Path) -> None:
    """Five thousand rows are no trouble."""
    rows = "\n".join(f"mailbox-{n},env:K" for n in range(5_000))
    assert len(listed(tmp_path, f"label,api_key\n{rows}\n").sessions) == 5_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "",
            "s.csv, line 1: columns (none), separated by commas: must be label and any of api_key,",
        ),
        ("", "commas, semicolons or tabs; is the line of columns missing?"),
        ("a,file:fake\n", "commas, semicolons or tabs; is the line of columns missing?"),
        ("Label,API_Key\na,env:A", "columns Label, API_Key, separated by commas: must be label"),
        ("\nlabel,api_key\n", "columns (none)"),
        ("api_key\nenv:A", "columns api_key, separated by commas: must be label"),
        ("label,apikey\na,env:A", "columns label, apikey, separated by commas: must be label"),
        ("label;apikey\na;env:A", "columns label, apikey, separated by semicolons: must be label"),
        ("word-0001\tenv:A\n", "columns (not shown), separated by commas: must be label"),
        ("label,api_key\na,env:A,env:B", "line 2: 3 cells; must be at most 2, one for each"),
        ("label,api_key\na,env:A\na,env:B", "label 'a' stands twice"),
        ("label,api_key\na,fake-key-0001", "must be env:NAME or file:PATH"),
        ("label,api_key\n,env:A", "s.csv, line 2: label is missing: must be the session's name"),
        (
            "label,api_key\n \u3000 ,env:A",
            "s.csv, line 2: label is missing: must be the session's name",
        ),
        ("label,api_key\na,env:A\n a ,env:B", "label 'a' stands twice"),
        ("label,login_name\na,env:A", "belong together"),
        ("label,api_key,api_key\na,,env:A", "columns label, api_key, api_key, separated by"),
        ("label,api_key\na,env:\0A", "line 2): api_key: must be text without the character 0"),
        ("label,api_key\na,env:A\n\nb,\n", "s.csv, line 4): must have either api_key, or login"),
        ("label,api_key\na\0b,env:A", "line 2: label = 'a\\x00b': must be text without"),
        (
            'label,api_key\n\n"a",env:A\nb,fake-key-0002',
            "s.csv, line 4): api_key: must be env:NAME",
        ),
        ('label,api_key\n"a,env:A', "not a CSV file (unexpected end of data); is a quote opened"),
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
        'label; "api_key"\na; "env:A"\n',
        "label , api_key , login_name , password , network_id , mailbox_id , ecgrid_id\na , env:A , , , , , \n",
    ],
)
def test_space_around_a_cell(content: str, tmp_path: Path) -> None:
    """Who writes by hand likes it; it is part of no label and of no variable's name."""
    assert listed(tmp_path, content) == listed(tmp_path, "label,api_key\na,env:A\n")


def test_a_row_is_named_by_its_line(tmp_path: Path) -> None:
    """Whatever sessions the configuration has beside the file."""
    own = '[[sessions]]\nlabel = "own"\napi_key = "env:O"'
    with pytest.raises(ConfigError, match=r"s\.csv, line 3: label = 'x+\.\.\.: must have at most"):
        listed(tmp_path, f"label,api_key\na,env:A\n{'x' * 301},env:B\n", own)
    with pytest.raises(
        ConfigError, match=r"session 'own' \(sessions, entry 1\): api_key: must be env"
    ):
        listed(tmp_path, "label,api_key\na,env:A\n", own.replace("env:O", "fake"))


def test_absent_sessions_file(tmp_path: Path) -> None:
    """It is named with its whole path."""
    (tmp_path / "x.toml").write_text(f'sessions_file = "absent.csv"\n{BASE}')
    with pytest.raises(
        ConfigError, match=r"sessions_file .*absent\.csv: cannot be read \(No such file"
    ):
        load(tmp_path / "x.toml")
