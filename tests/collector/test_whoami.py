import pytest
from lxml import etree

from collector.domain.secret import MASK, Secret, mask
from collector.sessions.whoami import whoami
from collector.wire.replies import Payload


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("300", 300),
        ("-1", -1),
        ("2147483647", 2**31 - 1),
        ("-2147483648", -(2**31)),
        ("2147483648", None),
        ("99999999999999999999999", None),
        ("1.5", None),
        ("", None),
        ("\u0663", None),
    ],
)
def test_numbers_of_who_am_i(text: str, number: int | None) -> None:
    """A number that is none of the contract's is not known; it fits the tables and ends no run."""
    info = etree.fromstring(f"<SessionInfo><NetworkID>{text}</NetworkID></SessionInfo>")
    assert whoami("acme", 1, Payload(info)).network_id == number


def test_a_session_id_that_contains_the_login_name() -> None:
    """Both are masked whole, whichever is found first."""
    secrets = (Secret("fake-login-0001"), Secret("ffff-fake-login-0001-ffff"))
    for order in (secrets, secrets[::-1]):
        said, _ = mask(b"no session ffff-fake-login-0001-ffff of fake-login-0001", order)
        assert said == f"no session {MASK} of {MASK}".encode()
