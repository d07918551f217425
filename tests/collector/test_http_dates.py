import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.wire.http_dates import date_us, http_date, retry_after_seconds

NOW = 1_705_320_000.0
DATE = "Mon, 15 Jan 2024 12:00:00 GMT"  # the same instant
HEADERS = st.text(max_size=40) | st.from_regex(r"[ -~]{0,30}\d+:\d+:\d+ [+-]\d{4,12}")


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """This machine in another time zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    "date",
    [
        DATE,
        "Monday, 15-Jan-24 12:00:00 GMT",
        "Mon Jan 15 12:00:00 2024",
        "Mon, 15 Jan 2024 12:00:00 -0000",
        "Mon, 15 Jan 2024 13:00:00 +0100",
    ],
)
def test_dates(date: str, zone: str) -> None:
    """Every form of an HTTP date is an instant, whatever zone this machine is in."""
    assert http_date(date) == NOW
    assert date_us(date) == NOW * 1_000_000


@given(st.none() | HEADERS)
def test_any_date_header(value: str | None) -> None:
    """No Date header raises."""
    found = date_us(value)
    assert found is None or abs(found) < 2**62


@pytest.mark.parametrize("value", [None, "", "soon", "Mon, 99 Jan 2024 99:99:99 GMT"])
def test_no_date(value: str | None) -> None:
    """A header that is absent or cannot be read tells no instant."""
    assert date_us(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("5", 5.0),
        (" 5 ", 5.0),
        ("300", 300.0),
        ("301", 300.0),
        ("9" * 400, 300.0),
        ("0", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("5, 5", None),
        ("\u0665", None),
        ("²", None),
        ("", None),
        ("soon", None),
        ("Mon, 15 Jan 2024 12:01:00 GMT", 60.0),
        ("Monday, 15-Jan-24 12:01:00 GMT", 60.0),
        ("Mon, 15 Jan 2024 11:59:00 GMT", None),
        ("Mon, 15 Jan 2024 12:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("Mon, 01 Jan 0001 00:00:00 GMT", None),
        ("Mon, 99 Jan 2024 99:99:99 GMT", None),
        ("1 Jan 2024 00:00:00 +9999999999", None),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    """Seconds or a date, at most the cap; what is past, absurd or unreadable asks for nothing."""
    assert retry_after_seconds(value, NOW, 300.0) == expected


@given(HEADERS)
def test_retry_after_takes_anything(value: str) -> None:
    """No header raises, and none asks for more than the cap."""
    seconds = retry_after_seconds(value, NOW, 300.0)
    assert seconds is None or 0 < seconds <= 300


@given(st.integers(1, 299))
def test_retry_after_dates_count_from_now(seconds: int) -> None:
    """A date as servers write it is that many seconds away by the clock that is given."""
    for date in (
        formatdate(NOW + seconds, usegmt=True),
        format_datetime(datetime.fromtimestamp(NOW + seconds, UTC)),
    ):
        assert retry_after_seconds(date, NOW, 300.0) == seconds
