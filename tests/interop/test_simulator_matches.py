"""The simulator answers as the real ASP.NET stack does: same requests, same status, content type and body."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.interop.bindings import BINDINGS, Answer, ask, request
from tests.interop.corpus import CORPUS, PAGE
from tests.interop.pending import SIMULATOR, marked
from tests.interop.stack import RealStack

# Mono's own runtime answers here, not ASMX; IIS would say something else again.
RUNTIME: Final = frozenset(
    {"form/put", "form/only-a-slash", "frame/help-of-an-operation", "frame/too-large", "frame/wsdl"}
)
SHAPES: Final = {"word": "word", "number": "number", "info": "error-info", "flat": "flat"}
PLACEHOLDER: Final = re.compile(r"\\{\d\\}")  # as re.escape leaves it
# XmlSerializer keeps these two in a hash table: the order is the runtime's.
XSI: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
XSD: Final = 'xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
XSI_FIRST, XSD_FIRST = f"{XSI} {XSD}", f"{XSD} {XSI}"
VALUE: Final = re.compile(r">[^<>]*[^<>\s][^<>]*<")


@pytest.fixture(scope="module")
def simulator() -> Iterator[RealStack]:
    """The simulator as a process of its own, with the credentials of the real stack's accounts."""
    command = [sys.executable, "-m", "collector.simulator", "--switch", "session_cap=1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            url = urlsplit(json.loads(process.stdout.readline())["url"])
            assert url.hostname is not None
            assert url.port is not None
            yield RealStack(url.hostname, url.port)
        finally:
            process.terminate()


def shape_faults(real_stack: RealStack, simulator: RealStack, shape: str) -> None:
    """Both word their faults in one shape."""
    real_stack.reset(fault=shape)
    wanted = json.dumps({"switches": {"fault_shape": SHAPES[shape]}}).encode()
    status, _, body = simulator.exchange("POST", "/_simulator/switches", wanted)
    assert status == 200, body


def kind(answer: Answer) -> tuple[int, str | None]:
    """Status and content type; pages in HTML are the runtime's, not compared any closer."""
    plain = answer.content_type
    return answer.status, "text/html" if plain and plain.startswith("text/html") else plain


def said(answer: Answer) -> str:
    """The body; values of a successful answer differ, as do positions in a request."""
    text = answer.body.decode().replace(XSD_FIRST, XSI_FIRST)
    if answer.status == 200:
        return VALUE.sub(">value<", text)
    return text


def agree(real: str, simulated: str) -> bool:
    """Mono leaves {0} in texts that Microsoft fills in."""
    return re.fullmatch(PLACEHOLDER.sub(".*", re.escape(real)), simulated, re.DOTALL) is not None


@pytest.mark.parametrize("name", marked(sorted(CORPUS.keys() - RUNTIME), SIMULATOR))
def test_the_same_request_has_the_same_answer(
    real_stack: RealStack, simulator: RealStack, name: str
) -> None:
    """Every request of the corpus: status, content type and body."""
    shape_faults(real_stack, simulator, "word")
    real, simulated = ask(real_stack, CORPUS[name]), ask(simulator, CORPUS[name])

    assert kind(simulated) == kind(real)
    if kind(real)[1] != "text/html":
        assert agree(said(real), said(simulated)), f"real: {real.body!r}\nsim:  {simulated.body!r}"


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("operation", ["ReportInstantStats", "WhoAmI", "Logout", "Login"])
def test_the_service_faults_in_the_same_shapes(
    real_stack: RealStack, simulator: RealStack, binding: str, shape: str, operation: str
) -> None:
    """Every documented shape of an authentication fault, byte for byte."""
    shape_faults(real_stack, simulator, shape)
    values = {
        "ReportInstantStats": {"SessionID": "gone", "Minutes1": "60", "Minutes2": "120"},
        "Login": {"LoginName": "nobody", "Password": "fake"},
    }.get(operation, {"SessionID": "gone"})
    asked = request(binding, PAGE, operation, values)

    assert ask(simulator, asked) == ask(real_stack, asked)


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_session_lives_from_login_to_logout(
    real_stack: RealStack, simulator: RealStack, binding: str
) -> None:
    """Both open a session, answer to it, close it once, and refuse it afterwards."""
    shape_faults(real_stack, simulator, "info")
    stories = []
    for server in (real_stack, simulator):
        credentials = {"LoginName": "fake-login-0005", "Password": "fake-password-0005"}
        answer = ask(server, request(binding, PAGE, "Login", credentials))
        found = re.search(r"<(?:LoginResult|string xmlns=\S+)>([^<]+)<", answer.body.decode())
        assert found is not None, answer.body
        session = {"SessionID": found[1]}
        story = [answer] + [
            ask(server, request(binding, PAGE, operation, session))
            for operation in ("WhoAmI", "Logout", "Logout", "WhoAmI")
        ]
        stories.append([(kind(each), said(each)) for each in story])
    assert stories[1] == stories[0]
    assert [status for (status, _), _ in stories[0]] == [200, 200, 200, 500, 500]


@pytest.mark.parametrize("binding", BINDINGS)
def test_lists_are_written_alike(real_stack: RealStack, simulator: RealStack, binding: str) -> None:
    """25 mailboxes each, by users who may list them: names, order, nested records and what is null."""
    wanted = json.dumps({"switches": {"list_scope": "network"}}).encode()
    assert simulator.exchange("POST", "/_simulator/switches", wanted)[0] == 200
    real, simulated = (
        ask(server, request(binding, PAGE, "MailboxList", {"SessionID": key, "Name": ""}))
        for server, key in ((real_stack, "fake-key-0020"), (simulator, "fake-key-0001"))
    )
    wanted = json.dumps({"switches": {"list_scope": "none"}}).encode()
    assert simulator.exchange("POST", "/_simulator/switches", wanted)[0] == 200
    assert kind(simulated) == kind(real) == (200, real.content_type)
    assert said(simulated) == said(real)
