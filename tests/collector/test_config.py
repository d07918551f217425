import contextlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from collector.config import ApiKey, Login, Settings, credentials, load, s3_secrets
from collector.domain.binding import Binding
from collector.domain.calls import Pairing
from collector.errors import ConfigError
from tests.collector.certificates import authority

ROOT = Path(__file__).parents[2]
KEY = "ffffffff-ffff-ffff-ffff-ffffffffffff"
GOOD = {
    "service": 'url = "https://host.invalid/x.asmx"',
    "windows": "minutes = [60, 120]",
    "sessions": 'label = "acme"\napi_key = "env:KEY"',
}


def text_of(**sections: str) -> str:
    """A configuration: the good one, with sections replaced or added ("" leaves one out)."""
    whole = GOOD | {name.replace("__", "."): text for name, text in sections.items()}
    top = whole.pop("top", "")
    parts = [
        f"[[{name}]]\n{text}" if name == "sessions" else f"[{name}]\n{text}"
        for name, text in whole.items()
        if text
    ]
    return "\n".join([top, *parts])


def loaded(folder: Path, text: str) -> Settings:
    """That text, as a file."""
    path = folder / "x.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def refusal(folder: Path, text: str) -> str:
    """What is said of a configuration that is wrong: one line that names the file."""
    with pytest.raises(ConfigError) as refused:
        loaded(folder, text)
    said = str(refused.value)
    assert said.startswith(f"configuration {folder / 'x.toml'}: ")
    assert "\n" not in said
    assert KEY not in said
    return said


def test_the_least_configuration(tmp_path: Path) -> None:
    """Three sections are enough; the defaults are modest."""
    found = loaded(tmp_path, text_of())
    assert (found.service.binding, found.windows.pairing) == (Binding.SOAP12, Pairing.PAIRS)
    assert found.limits.requests_per_second <= 100 / 60
    assert found.limits.concurrency <= 8
    assert found.sessions[0].label == "acme"


SECTIONS: dict[str, type[BaseModel]] = {
    name: kind.annotation
    for name, kind in Settings.model_fields.items()
    if isinstance(kind.annotation, type)
    and issubclass(kind.annotation, BaseModel)
    and name != "warehouse"
}


@pytest.mark.parametrize(
    ("section", "key"),
    [(name, key) for name, kind in SECTIONS.items() for key in kind.model_fields],
)
def test_every_misspelt_key_gets_its_name_back(section: str, key: str, tmp_path: Path) -> None:
    """An unknown key is an error that says what was meant."""
    wrong = key[:-1] + ("x" if key[-1] != "x" else "y")
    said = refusal(tmp_path, text_of(**{section: f"{GOOD.get(section, '')}\n{wrong} = 1"}))
    assert f"unknown key {section}.{wrong}" in said
    assert f"did you mean {key}?" in said


@pytest.mark.parametrize("key", ["network_id", "mailbox_id", "ecgrid_id"])
def test_ids_of_a_session(key: str, tmp_path: Path) -> None:
    """Whole numbers; what is none gets label, key, value and what is right."""
    base = GOOD["sessions"] + ("" if key == "network_id" else "\nnetwork_id = 1")
    for good in (0, 2**31 - 1):
        found = loaded(tmp_path, text_of(sessions=f"{base}\n{key} = {good}"))
        assert getattr(found.sessions[0], key) == good
    for bad in ("-1", "2147483648", "1.0", "'7'", "'x'"):
        said = refusal(tmp_path, text_of(sessions=f"{base}\n{key} = {bad}"))
        assert said.endswith(
            f": session 'acme' (sessions, entry 1): {key} = {bad}: must be a whole number, 0 to 2147483647"
        )
    if key != "network_id":
        said = refusal(tmp_path, text_of(sessions=f"{GOOD['sessions']}\n{key} = 0"))
        assert f"{key} needs network_id" in said


def test_problems_are_named_in_order(tmp_path: Path) -> None:
    """The first three, each with its place; then only their number."""
    text = text_of(sessions="") + "".join(
        f'\n[[sessions]]\nlabel = "s{n}"\napi_key = "{KEY}"' for n in range(5)
    )
    said = refusal(tmp_path, text)
    named = re.findall(r"session '(s\d)' \(sessions, entry (\d)\): api_key: must be", said)
    assert named == [("s0", "1"), ("s1", "2"), ("s2", "3")]
    assert said.endswith(" (and 2 more)")
    three = text.rpartition("[[sessions]]")[0].rpartition("[[sessions]]")[0]
    assert "more)" not in refusal(tmp_path, three)


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        ('every = "7m"', "windows.every = '7m': must divide a day, as 15m, 30m, 1h or 6h do"),
        ('every = "1h"\nsince = "40d"', "windows.since = '40d': must be whole minutes from 1m to"),
        ('every = "1h"\nsince = "4x"', "windows.since = '4x': must be a whole number and a unit"),
    ],
)
def test_a_value_is_shown_once(windows: str, said: str, tmp_path: Path) -> None:
    """Before what would be right, and not again in it."""
    assert f": {said}" in refusal(tmp_path, text_of(windows=windows))


def test_a_bound_is_written_as_its_author_would(tmp_path: Path) -> None:
    """A whole number without a decimal point."""
    said = refusal(tmp_path, text_of(limits="requests_per_second = 0"))
    assert said.endswith("limits.requests_per_second = 0: must be more than 0")


@pytest.mark.parametrize("entry", ["5", '"x"', "[]", "true"])
def test_a_session_that_is_no_table(entry: str, tmp_path: Path) -> None:
    """It is named by its place: it has no label."""
    said = refusal(tmp_path, text_of(top=f"sessions = [{entry}]", sessions=""))
    assert said.endswith("x.toml: sessions, entry 1: must be a table")


def test_text_with_the_character_0(tmp_path: Path) -> None:
    """It ends a name for the system: every key refuses it, `sessions_file` before it is opened."""
    for section, key in (("top", "sessions_file"), ("service", "contact"), ("sessions", "api_key")):
        line = f'{key} = "env:a\\u0000b"'
        base = {"service": GOOD["service"], "sessions": 'label = "acme"', "top": ""}[section]
        said = refusal(tmp_path, text_of(**{section: f"{base}\n{line}"}))
        assert key in said
        assert said.endswith("must be text without the character 0")
    said = refusal(
        tmp_path,
        text_of(warehouse__iceberg='catalog_uri = "sqlite:///x"\nproperties = { a = "b\\u0000" }'),
    )
    assert "warehouse.iceberg.properties: " in said
    assert "without the character 0" in said


def test_a_long_value_is_not_shown_whole(tmp_path: Path) -> None:
    """A message stays a message."""
    said = refusal(tmp_path, text_of(logging=f'level = "{"x" * 5_000}"'))
    assert len(said) < 400
    assert "logging.level = 'xxx" in said


def test_unknown_keys_that_resemble_nothing(tmp_path: Path) -> None:
    """They are answered with the keys there are; also at the top, in sessions and in warehouses."""
    assert "unknown key limits.zzz: known are requests_per_second" in refusal(
        tmp_path, text_of(limits="zzz = 1")
    )
    assert "unknown key limts: did you mean limits?" in refusal(tmp_path, text_of(limts="a = 1"))
    said = refusal(tmp_path, text_of(sessions=f'label = "a"\napi_kee = "{KEY}"\napi_key = "env:A"'))
    assert "session 'a' (sessions, entry 1): unknown key api_kee: did you mean api_key?" in said
    said = refusal(tmp_path, text_of(warehouse__duckdb='path = "x"\npaht = "y"'))
    assert "unknown key warehouse.duckdb.paht: did you mean path?" in said
    assert "unknown key service.Login" in refusal(
        tmp_path, text_of(service=f"{GOOD['service']}\nLogin = 1")
    )


BAD = [  # section, line, what must be said besides the key
    ("service", 'url = "ftp://host.invalid"', "'ftp://host.invalid': must be an https:// address"),
    ("service", 'url = "host.invalid/x"', "must be an https:// address"),
    ("service", 'url = "https://[::1"', "must be an https:// address"),
    ("service", 'url = "https://host:99999/"', "must be an https:// address"),
    ("service", 'url = "https:///x"', "must be an https:// address"),
    ("service", 'url = "https://host:0/"', "a port is 1 to 65535"),
    ("service", 'url = "https://ho st/x"', "without spaces"),
    ("service", 'url = "https://host/x\\ny"', "without spaces"),
    ("service", "url = 5", "5: must be text"),
    ("service", 'url = "http://os.ecgrid.io/x.asmx"', "plain http is allowed to this machine only"),
    ("service", 'url = "http://127.0.0.1.host.invalid/"', "plain http"),
    ("service", 'url = "http://10.0.0.1/"', "plain http"),
    ("service", 'url = "http://0.0.0.0/"', "plain http"),
    ("service", 'url = "http://localhost.host.invalid/"', "plain http"),
    (
        "service",
        'binding = "soap13"',
        "'soap13': must be 'soap11', 'soap12', 'http-post' or 'http-get'",
    ),
    ("service", "timeout_seconds = 0", "0: must be more than 0"),
    ("service", "timeout_seconds = nan", "nan: must be a number"),
    ("service", "timeout_seconds = inf", "inf: must be a number"),
    ("limits", "requests_per_second = 0", "more than 0"),
    ("limits", "requests_per_second = -1.5", "-1.5: must be more than 0"),
    ("limits", 'requests_per_second = "fast"', "'fast': must be a number"),
    ("limits", "per_session_per_second = 100001", "at most 100000"),
    ("limits", "requests_per_second = true", "True: must be a number"),
    ("storage", 'root = "s3://bucket/prefix"', "must be a folder of this machine"),
    ("storage", "root = 'C:\\data'", "must be a folder of this machine"),
    ("storage", 'root = ""', "must be a folder"),
    ("storage", 'root = "a\\u0000b"', "must be text without the character 0"),
    ("limits", "concurrency = 0", "at least 1"),
    ("limits", "concurrency = 1.5", "1.5: must be a whole number"),
    ("limits", "per_session_concurrency = 1001", "at most 1000"),
    ("limits", "max_reply_bytes = 10", "at least 1024"),
    ("retry", "attempts = 0", "at least 1"),
    ("retry", "attempts = 21", "at most 20"),
    ("retry", "backoff_seconds = -1", "more than 0"),
    ("retry", "max_backoff_seconds = 1e9", "at most 86400"),
    ("retry", "max_retry_after_seconds = 0", "more than 0"),
    ("windows", "minutes = []", "at least 1 entry"),
    ("windows", "minutes = 60", "60: must be a list"),
    ("windows", "minutes = [0]", "minutes.0 = 0: must be a whole number of minutes, 1 to 32767"),
    (
        "windows",
        "minutes = [60, 32768]",
        "minutes.1 = 32768: must be a whole number of minutes, 1 to 32767",
    ),
    ("windows", "minutes = [60.0]", "whole number"),
    ("windows", "minutes = [true]", "whole number"),
    ("windows", 'minutes = ["60"]', "whole number"),
    (
        "windows",
        'minutes = [60]\npairing = "triples"',
        "'triples': must be 'pairs' or 'chain'",
    ),
    ("run", "resume_within_seconds = -1", "at least 0"),
    ("run", "deadline_seconds = 0", "more than 0"),
    ("run", "drain_seconds = 0", "more than 0"),
    ("storage", "root = 5", "must be a path"),
    ("storage", "lake = 5", "5: must be text"),
    ("storage", 'lake = " "', "must be a folder, or an address such as s3://bucket/prefix"),
    (
        "storage",
        'lake = "s3:/bucket"',
        "must be a folder, or an address such as s3://bucket/prefix",
    ),
    (
        "storage",
        'lake = "s3://user:word@bucket/x"',
        "'s3://********@bucket/x': must have no credential",
    ),
    ("storage", 'lake = "s3://user@bucket/x"', "must have no credential in it"),
    ("storage", 'lake = "hdfs://user:word@host/x"', "must have no credential in it"),
    ("storage", 'lake = "s3://bucket/x?secret_key=word"', "'s3://bucket/x?********': must have no"),
    (
        "storage.s3",
        'endpoint = "http://store.example.com"',
        "plain http is allowed to this machine",
    ),
    ("storage.s3", f'access_key = "{KEY}"', "must be env:NAME or file:PATH"),
    ("storage.s3", 'endpint = "x"', "unknown key storage.s3.endpint: did you mean endpoint?"),
    (
        "quality",
        'no_negative_counts = "maybe"',
        "'maybe': must be 'off', 'warn' or 'quarantine'",
    ),
    ("logging", 'level = "loud"', "'loud': must be 'debug', 'info', 'warning' or 'error'"),
    ("logging", 'format = "xml"', "'xml': must be 'auto', 'plain' or 'json'"),
]


@pytest.mark.parametrize(
    ("section", "line", "said"), BAD, ids=[f"{s}-{line}" for s, line, _ in BAD]
)
def test_bad_values(section: str, line: str, said: str, tmp_path: Path) -> None:
    """Every bad value is answered with the key, the value and what is allowed."""
    key = line.rpartition("\n")[2].partition(" ")[0]
    base = GOOD[section] if section == "service" and key != "url" else ""
    found = refusal(tmp_path, text_of(**{section: f"{base}\n{line}"}))
    assert f"{section}.{key}" in found
    assert said.lower() in found.lower()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (text_of(service=""), "service is missing"),
        (text_of(windows=""), "windows is missing"),
        (text_of(service='binding = "soap11"'), "service.url is missing"),
        (text_of(sessions=""), "there are none; add [[sessions]] or sessions_file"),
        (text_of(sessions='api_key = "env:A"'), "sessions, entry 1: label is missing"),
        (
            text_of(sessions='label = ""\napi_key = "env:A"'),
            "sessions, entry 1: label = '': must not be empty",
        ),
        (text_of(sessions=f'label = "{"x" * 301}"\napi_key = "env:A"'), "at most 300 characters"),
        (
            text_of(sessions='label = "a"'),
            "x.toml: session 'a' (sessions, entry 1): must have either api_key, or login_name and password",
        ),
        (
            text_of(sessions='label = "a"\nlogin_name = "env:A"'),
            "login_name and password belong together",
        ),
        (
            text_of(sessions='label = "a"\npassword = "env:A"'),
            "login_name and password belong together",
        ),
        (
            text_of(
                sessions='label = "a"\napi_key = "env:A"\nlogin_name = "env:B"\npassword = "env:C"'
            ),
            "must have either api_key",
        ),
        (
            text_of() + '\n[[sessions]]\nlabel = "acme"\napi_key = "env:B"',
            "label 'acme' stands twice, at sessions, entry 1 and at sessions, entry 2; labels must differ",
        ),
        (text_of(limits="concurrency = 0\nper_session_concurrency = 0"), "concurrency = 0"),
        (text_of(storage__s3='access_key = "env:K"'), "access_key and secret_key belong together"),
        (text_of(storage__s3='session_token = "env:T"'), "needs access_key and secret_key"),
        (text_of(warehouse='raw = "yes"'), "must be true or false"),
        ("[service", "not TOML"),
        (f"a = {'[' * 3_000}{']' * 3_000}", "nested too deeply"),
        ("a = 1\na = 2", "not TOML"),
    ],
)
def test_what_is_missing_or_contradicts_itself(text: str, said: str, tmp_path: Path) -> None:
    """Absent sections, half a login, a label twice, text that is no TOML."""
    assert said in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        text_of(sessions=f'label = "a"\napi_key = "{KEY}"'),
        text_of(sessions=f'label = "a"\nlogin_name = "{KEY}"\npassword = "{KEY}"'),
        text_of(sessions=f'label = "a"\napi_key = ["{KEY}"]'),
        text_of(sessions=f'label = "a"\napi_key = "keyring:{KEY}"'),
        text_of(top=f'sessions = ["{KEY}"]', sessions=""),
        text_of(top=f'sessions = "{KEY}"', sessions=""),
        text_of(top=f'sessions = {{ acme = "{KEY}" }}', sessions=""),
        text_of(service=f'url = "https://me:{KEY}@host.invalid/x"'),
        text_of(service=f'url = "https://{KEY}@host.invalid/x"'),
        text_of(service=f'url = "https://me:/{KEY}@host.invalid/x"'),
        text_of(service=f'url = "https://host.invalid/x?SessionID={KEY}"'),
        text_of(service=f'url = "https://host.invalid/x#{KEY}"'),
        text_of(warehouse=f'postgres = "postgres://me:{KEY}@host/db"'),
        text_of(warehouse__postgres=f'dsn = "postgres://me:{KEY}@host/db"'),
        text_of(warehouse__iceberg=f'catalog_uri = ["postgres://me:{KEY}@host/db"]'),
    ],
)
def test_a_credential_in_the_file_is_refused_and_never_shown(text: str, tmp_path: Path) -> None:
    """`refusal` looks for the key in what is said."""
    assert refusal(tmp_path, text)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8765/x",
        "http://localhost/x",
        "http://[::1]:80/x",
        "http://127.9.9.9/x",
        "https://h/x",
    ],
)
def test_addresses_that_are_allowed(url: str, tmp_path: Path) -> None:
    """Plain http to this machine; https to any."""
    assert loaded(tmp_path, text_of(service=f'url = "{url}"')).service.url == url


NUMBERS: list[
    tuple[str, str, float, float, float | None]
] = [  # least, most (0 excluded: 1e-9), default
    ("service", "timeout_seconds", 1e-9, 86_400, 60),
    ("limits", "requests_per_second", 1e-9, 100_000, 1.5),
    ("limits", "per_session_per_second", 1e-9, 100_000, 1.0),
    ("limits", "concurrency", 1, 1_000, 8),
    ("limits", "per_session_concurrency", 1, 1_000, 2),
    ("limits", "max_reply_bytes", 1_024, 2**30, 16 * 2**20),
    ("retry", "attempts", 1, 20, 4),
    ("retry", "backoff_seconds", 1e-9, 86_400, 0.5),
    ("retry", "max_backoff_seconds", 1e-9, 86_400, 30),
    ("retry", "max_retry_after_seconds", 1e-9, 86_400, 300),
    ("retry", "max_outage_seconds", 1e-9, 604_800, None),
    ("run", "resume_within_seconds", 0, 2_592_000, 21_600),
    ("run", "deadline_seconds", 1e-9, 604_800, None),
    ("run", "drain_seconds", 1e-9, 86_400, 60),
    ("storage", "keep_landing_days", 1, 3_650, 30),
    ("storage", "compacted_file_mib", 1, 65_536, 128),
    ("quality", "clock_seconds", 1e-9, 86_400, 300),
    ("quality", "empty_share", 0, 1, 0.5),
    ("alert", "failed_calls_above", 0, 100_000_000, 0),
]


@pytest.mark.parametrize(
    ("section", "key", "least", "most", "default"), NUMBERS, ids=[key for _, key, *_ in NUMBERS]
)
def test_the_range_of_a_number(
    section: str, key: str, least: float, most: float, default: float | None, tmp_path: Path
) -> None:
    """The ends are allowed, what is beyond them is refused, and so is a number in quotes."""

    def text(value: object) -> str:
        return text_of(**{section: f"{GOOD.get(section, '')}\n{key} = {value}"})

    def found(whole: str) -> object:
        return getattr(getattr(loaded(tmp_path, whole), section), key)

    assert found(text_of()) == default
    for good in (least, most):
        assert found(text(good)) == good
    for bad in (0 if least == 1e-9 else least - 1, most + 1, f"'{most}'", "true"):
        assert f"{section}.{key} = " in refusal(tmp_path, text(bad))


def test_every_number_has_its_range() -> None:
    """The guard of the test above."""
    kinds = {
        (name, key)
        for name, kind in SECTIONS.items()
        for key, field in kind.model_fields.items()
        if re.search(r"\b(int|float)\b", repr(field.annotation)) and name != "windows"
    }
    assert kinds == {(section, key) for section, key, *_ in NUMBERS}


@pytest.mark.parametrize(
    ("warehouse", "said"),
    [
        ("postgres = { dsn = 'env:A', schema = '' }", "postgres.schema: must not be empty"),
        (f"postgres = {{ dsn = 'env:A', schema = '{'x' * 64}' }}", "must have at most 63 char"),
        ("iceberg = { catalog_uri = 'http://me:word@h/' }", "must have no credentials in it"),
        ("iceberg = { catalog_uri = 'http://h/?a_token=word' }", "must have no credentials in it"),
        ("iceberg = { catalog_uri = 'http://h/x?a=1&password=word' }", "must have no credentials"),
        ("iceberg = { catalog_uri = 'x', catalog_name = '' }", "catalog_name: must not be empty"),
        ("iceberg = { catalog_uri = 'x', namespace = 'a-b' }", "namespace: must be names of"),
        (
            "iceberg = { catalog_uri = 'x', properties = { 's3.secret' = 'word' } }",
            "s3.secret must be env:NAME or file:PATH",
        ),
        (
            "iceberg = { catalog_uri = 'x', properties = { 's3.token' = 'file://word' } }",
            "s3.token must be env:NAME or file:PATH",
        ),
    ],
)
def test_bad_warehouses(warehouse: str, said: str, tmp_path: Path) -> None:
    """Refused without a part of the value: it may be a password."""
    found = refusal(tmp_path, text_of(warehouse=warehouse))
    assert said in found
    assert "word" not in found.replace("password", "")


@pytest.mark.parametrize(
    "warehouse",
    [
        f"postgres = {{ dsn = 'file:x', schema = '{'x' * 63}' }}",
        "iceberg = { catalog_uri = 'env:PASSWORD', catalog_name = 'a', namespace = 'a.b_1' }",
        "iceberg = { catalog_uri = 'sqlite:///x/catalog.db', properties = { 's3.key' = 'env:A' } }",
        "iceberg = { catalog_uri = 'http://me@h:1/x', properties = { 's3.region' = 'x' } }",
    ],
)
def test_good_warehouses(warehouse: str, tmp_path: Path) -> None:
    """References, and addresses without a password."""
    assert loaded(tmp_path, text_of(warehouse=warehouse)).warehouse.raw is False


@pytest.mark.parametrize(
    "lake", ["s3://bucket/x", "elsewhere/lake", "hdfs://user@host/x", "s3://bucket/x?region=eu"]
)
def test_good_lakes(lake: str, tmp_path: Path) -> None:
    """A folder, or an address without a credential."""
    assert loaded(tmp_path, text_of(storage=f'lake = "{lake}"')).storage.lake == lake


def test_a_private_authority_is_found_beside_the_configuration(tmp_path: Path) -> None:
    """Its path is relative to the file; what is there must hold certificates."""
    text = text_of(service=f'{GOOD["service"]}\nca_file = "ca/x.pem"')
    said = refusal(tmp_path, text)
    assert (
        "service.ca_file = 'ca/x.pem': cannot be read (No such file or directory); must be" in said
    )
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "x.pem").write_text("no certificate")
    assert "service.ca_file = 'ca/x.pem': must hold certificates" in refusal(tmp_path, text)
    _, certificate = authority(tmp_path)
    certificate.replace(tmp_path / "ca" / "x.pem")
    assert loaded(tmp_path, text).service.ca_file == tmp_path / "ca" / "x.pem"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """An absent file, a folder and bytes that are no text are named, with what would be right."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "absent.toml", tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(ConfigError, match=re.escape(f"configuration {path}: ")) as refused:
            load(path)
        is_text = path.name != "bytes.toml"
        wanted = "`ecgrid-stats init` writes one" if is_text else "not TOML in UTF-8 ('utf-8' codec"
        assert wanted in str(refused.value)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Editors of Windows begin a file with it."""
    (tmp_path / "x.toml").write_bytes(b"\xef\xbb\xbf" + text_of().encode())
    assert load(tmp_path / "x.toml") == loaded(tmp_path, text_of())


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """What was validated stays."""
    found = loaded(tmp_path, text_of())
    with pytest.raises(ValueError, match="frozen"):
        found.limits.concurrency = 99


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text("abc:/@é \\", max_size=9),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60)
@given(section=st.sampled_from(sorted(SECTIONS)), value=VALUES, data=st.data())
def test_any_value_is_good_or_refused(
    tmp_path_factory: pytest.TempPathFactory, section: str, value: Any, data: st.DataObject
) -> None:
    """No value of any key ends in anything but settings or a ConfigError."""
    key = data.draw(st.sampled_from(sorted(SECTIONS[section].model_fields)))
    line = f"{key} = {str(value).lower() if not isinstance(value, str | list) else value!r}"
    lines = [one for one in GOOD.get(section, "").split("\n") if not one.startswith(key)]
    with contextlib.suppress(ConfigError):
        loaded(tmp_path_factory.getbasetemp(), text_of(**{section: "\n".join([*lines, line])}))


def test_the_examples_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both example files are good, and so are their references once what they name is there."""
    demo = ROOT / "config" / "demo.toml"
    for name, value in (
        ("DEMO_KEY", "fake-1"),
        ("DEMO_LOGIN", "fake-2"),
        ("DEMO_PASSWORD", "fake-3"),
    ):
        monkeypatch.setenv(name, value)
    kinds = [type(one) for one in credentials(load(demo), demo.parent).values()]
    assert kinds == [ApiKey, Login]
    shutil.copy(ROOT / "config" / "production.toml", tmp_path / "p.toml")
    text = (tmp_path / "p.toml").read_text().replace("file:/run/secrets/beta", "file:beta")
    (tmp_path / "p.toml").write_text(text)
    (tmp_path / "beta").write_text("fake-password\n")
    (tmp_path / "beta").chmod(0o600)
    monkeypatch.setenv("ECGRID_ACME_KEY", "fake-4")
    monkeypatch.setenv("ECGRID_BETA_LOGIN", "fake-5")
    found = credentials(load(tmp_path / "p.toml"), tmp_path)
    assert isinstance(found["beta"], Login)
    assert found["beta"].password.reveal() == "fake-password"


def test_the_secrets_of_the_store_are_read_beside_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of the sessions are; without any, the environment is left to give them."""
    assert s3_secrets(loaded(tmp_path, text_of())) == {}
    (tmp_path / "word").write_text("a fake word\n")
    (tmp_path / "word").chmod(0o600)
    monkeypatch.setenv("STORE", "a-fake-key")
    keys = 'access_key = "env:STORE"\nsecret_key = "file:word"'
    found = s3_secrets(loaded(tmp_path, text_of(storage__s3=keys)))
    assert {name: secret.reveal() for name, secret in found.items()} == {
        "access_key": "a-fake-key",
        "secret_key": "a fake word",
    }
    monkeypatch.delenv("STORE")
    with pytest.raises(ConfigError, match=r"storage\.s3\.access_key = 'env:STORE': .* not set"):
        s3_secrets(loaded(tmp_path, text_of(storage__s3=keys)))


def test_the_production_example_shows_the_defaults(tmp_path: Path) -> None:
    """Every key behind a # shows its default: with all of them in force nothing changes."""
    text = (ROOT / "config" / "production.toml").read_text()
    (tmp_path / "x.toml").write_text(
        re.sub(
            r"(?m)^# (?!sessions_file|contact|deadline|ca_file|max_outage"
            r"|lake|endpoint|region|access|secret|session_|network_id|mailbox_id|ecgrid_id|minutes"
            r"|ping_url|textfile|group)(\w+ = )",
            r"\1",
            text,
        )
    )
    assert load(tmp_path / "x.toml") == load(ROOT / "config" / "production.toml")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "must be an address"),
        ("os.ecgrid.io", "must be an address"),
        ("https://os.ecgrid.io", "end with a slash"),
        ("https://os.ecgrid.io/ ", "must be an address"),
        ("https://os.ecgrid.io/<a>/", "must be an address"),
        ("https://os.ecgrid.io/ä/", "must be an address"),
    ],
)
def test_namespace(tmp_path: Path, value: str, words: str) -> None:
    """It goes into a header and into XML, before the operation's name; the message says what is wrong."""
    url = 'url = "https://host.invalid/x.asmx"'
    said = refusal(tmp_path, text_of(service=f'{url}\nnamespace = "{value}"'))
    assert "service.namespace" in said
    assert words in said


@pytest.mark.parametrize("value", ["http://www.ecgridos.net/", "urn:x", "http://tempuri.org/"])
def test_namespaces_that_are_good(tmp_path: Path, value: str) -> None:
    """The known ones, and any other that a service may be in."""
    url = 'url = "https://host.invalid/x.asmx"'
    found = loaded(tmp_path, text_of(service=f'{url}\nnamespace = "{value}"'))
    assert found.service.namespace == value
