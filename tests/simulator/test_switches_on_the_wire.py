"""Replies and deliveries that switches change, as a client sees them."""

import asyncio
import gzip
import time
from urllib.parse import urlsplit

import pytest

from collector.domain.binding import Binding
from collector.simulator.switches import SELECTORS
from tests.simulator.switched import TRUE, answer, switched
from tests.simulator.wire import call_bytes, counts, exchange, stats


async def test_without_switches_the_truth_is_told() -> None:
    """The baseline of everything below."""
    reply = await answer()
    assert (reply.status, counts(reply)) == (200, TRUE)


CANNED = {
    "html_200": (200, "text/html", b"Scheduled maintenance"),
    "html_502": (502, "text/html", b"Bad Gateway"),
    "html_503": (503, "text/html", b"Service Unavailable"),
    "empty_200": (200, "text/xml; charset=utf-8", b""),
    "empty_500": (500, "text/xml; charset=utf-8", b""),
    "throttle": (429, "text/html", b"Too Many Requests"),
}


@pytest.mark.parametrize("name", CANNED)
async def test_replies_in_the_services_place(name: str) -> None:
    """Pages and empty bodies, as proxies send them."""
    status, kind, part = CANNED[name]
    reply = await answer(**{name: "always"})
    assert (reply.status, reply.headers["content-type"]) == (status, kind)
    assert part in reply.body
    assert part or reply.body == b""
    assert "retry-after" in reply.headers if name == "throttle" else True


FAULTS = {
    "fault_authentication": ("Client", "Invalid Session", "1"),
    "fault_authorisation": ("Client", "Access Denied", "2"),
    "fault_not_found": ("Client", "Not Found", "3"),
    "fault_parameter": ("Client", "Data Error", "9"),
    "fault_system": ("Server", "Internal Error", "11"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_faults_of_the_service(name: str) -> None:
    """Each kind has its words and number; GET and POST have the words only."""
    code, text, number = FAULTS[name]
    reply = await answer(Binding.SOAP11, **{name: "always"})
    assert reply.status == 500
    assert f"<faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring>" in reply.text
    assert f"<ErrorInfo><ErrorCode>{number}</ErrorCode>" in reply.text
    assert (await answer(Binding.HTTP_GET, **{name: "always"})).text == f"{text}\n"


SHAPES = {
    "error-info": "<detail><ErrorInfo><ErrorCode>1</ErrorCode>",
    "flat": "<details><ErrorCode>1</ErrorCode>",
    "number": "<detail><ECGridOSSOAPErrorCode>5</ECGridOSSOAPErrorCode></detail>",
    "word": "<detail><ECGridOSSOAPErrorCode>Authentication</ECGridOSSOAPErrorCode></detail>",
    "framework": "Server was unable to process request. ---&gt; Invalid Session",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("binding", [Binding.SOAP11, Binding.SOAP12])
async def test_fault_shapes(shape: str, binding: Binding) -> None:
    """The documented details, in both envelopes."""
    reply = await answer(binding, fault_shape=shape, fault_authentication="always")
    assert SHAPES[shape] in reply.text
    role = "Receiver" if shape == "framework" else "Sender"
    assert (f"soap:{role}" in reply.text) is (binding is Binding.SOAP12)


async def test_unusual_faults() -> None:
    """An exception nobody caught, a shape nobody documented."""
    assert "<soap:Detail />" in (await answer(fault_framework="always")).text
    assert "<Unheard>of</Unheard>" in (await answer(fault_unknown="always")).text


DATA = {
    "null_dataset": '<ReportInstantStatsResponse xmlns="https://os.ecgrid.io/" />',
    "zero_rows": 'diffgram-v1" /></ReportInstantStatsResult>',
    "two_rows": 'diffgr:id="Table2"',
    "extra_columns": "<NetworkID>314</NetworkID><ParcelsIn1>1</ParcelsIn1>",
    "extra_table": '<Provenance diffgr:id="Provenance2" msdata:rowOrder="1"',
    "encoded_names": "<Note_x0020_to_x0020_self_x0020__x0028_1_x0029_>a note<",
    "direction_rows": "<Direction>Out</Direction><Minutes>120</Minutes><Parcels>1</Parcels>",
    "other_operation": "<VersionResponse ",
    "other_windows": "<ParcelsIn1>1</ParcelsIn1><ParcelsOut1>1</ParcelsOut1>",
    "foreign_namespace": '<ReportInstantStatsResponse xmlns="http://www.ecgridos.net/">',
}


@pytest.mark.parametrize("name", DATA)
async def test_other_data(name: str) -> None:
    """The answer is another one, and the truth says which switch made it so."""
    async with switched(**{name: "always"}) as simulator:
        reply = await stats(simulator)
        assert (reply.status, DATA[name] in reply.text) == (200, True), reply.text
        known = simulator.log.answers[0]
        assert list(known.counts) == TRUE
        assert known.altered == (() if name == "foreign_namespace" else (name,))
        assert simulator.log.arrivals[0].hits == (name,)


async def test_a_null_dataset_in_the_plain_bindings() -> None:
    """The root alone, nil."""
    reply = await answer(Binding.HTTP_GET, null_dataset="always")
    assert reply.text.partition("?>\n")[2] == (
        '<DataSet xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true" '
        'xmlns="https://os.ecgrid.io/" />'
    )


ALTERED_COUNTS = {
    "missing_column": TRUE[:7],
    "null_counts": [*TRUE[1:5], *TRUE[6:]],
    "decreasing_windows": [2, 2, 3, 2, 1, 1, 2, 1],
    "halves_disagree": [*TRUE[:4], 2, *TRUE[5:]],
}


@pytest.mark.parametrize("name", ALTERED_COUNTS)
async def test_other_counts(name: str) -> None:
    """Numbers that cannot be, or are not there."""
    assert counts(await answer(**{name: "always"})) == ALTERED_COUNTS[name]


async def test_a_negative_count() -> None:
    """An xs:int may be negative."""
    assert "<ParcelsIn1>-1</ParcelsIn1>" in (await answer(negative_count="always")).text


async def test_other_bytes() -> None:
    """The same answer under a DTD, a BOM, a wrong charset, with a credential."""
    plain = (await answer()).body
    declaration, _, document = plain.partition(b"?>")
    assert (await answer(bom="always")).body == b"\xef\xbb\xbf" + plain
    with_dtd = (await answer(dtd="always")).body
    assert with_dtd.startswith(declaration + b"?><!DOCTYPE ")
    assert with_dtd.endswith(document)
    wrong = await answer(wrong_charset="always")
    assert wrong.headers["content-type"] == "application/soap+xml; charset=utf-16"
    assert wrong.body == plain
    echoed = await answer(echo_credential="always")
    assert echoed.body == plain + b"<!-- SessionID=fake-key-0001 -->"
    packed = await answer(gzip="always")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain


async def test_a_redirect() -> None:
    """To another host; what happens to the credential is up to the client."""
    reply = await answer(redirect="always")
    assert reply.status == 302
    assert reply.headers["location"] == "http://elsewhere.invalid/v4.1/prod/ECGridOS.asmx"


async def test_other_windows_in_a_layout_that_names_them() -> None:
    """An hour longer each, or shorter where that is too long; the layout says so, the truth does not."""
    async with switched(other_windows="always", direction_rows="always") as simulator:
        reply = await stats(simulator, minutes=(60, 32_767))
        windows = [reply.text.count(f"<Minutes>{minutes}</Minutes>") for minutes in (120, 32_707)]
        assert windows == [2, 2]
        assert (simulator.log.answers[0].minutes1, simulator.log.answers[0].minutes2) == (60, 32767)


async def test_a_truncated_body() -> None:
    """Content-Length promises twice what comes before the connection ends."""
    whole = await answer()
    cut = await answer(truncated="always")
    assert int(cut.headers["content-length"]) == len(whole.body)
    assert cut.body == whole.body[: len(whole.body) // 2]


@pytest.mark.parametrize("name", ["cut_body", "drop_connection"])
async def test_a_connection_that_is_reset(name: str) -> None:
    """The client gets an error or an early end, never a whole reply."""
    async with switched(**{name: "always"}) as simulator:
        try:
            reply = await stats(simulator)
        except (ConnectionResetError, IndexError, ValueError):
            reply = None
        assert reply is None or len(reply.body) < int(reply.headers["content-length"])
        assert simulator.log.arrivals[0].status == (200 if name == "cut_body" else 0)


async def test_no_answer_until_the_client_gives_up() -> None:
    """The request is logged, nothing comes back, and the simulator forgets the connection."""
    async with switched(never_answer="always") as simulator:
        parts = urlsplit(simulator.origin)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        arguments: dict[str, object] = {"SessionID": "fake-key-0001", "Minutes1": 1, "Minutes2": 2}
        writer.write(call_bytes("ReportInstantStats", arguments, Binding.SOAP12))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        writer.close()
        await writer.wait_closed()
    assert simulator.log.arrivals[0].fault == "never_answer"


async def test_no_answer_within_a_limit() -> None:
    """After never_answer_seconds the connection ends without a byte."""
    async with switched(never_answer="always", never_answer_seconds="0.1") as simulator:
        with pytest.raises((ConnectionResetError, IndexError)):
            await stats(simulator)


async def test_a_slow_body_comes_in_pieces_and_whole() -> None:
    """Head first, then a tenth at a time."""
    async with switched(slow_body="always", slow_body_seconds="0.3") as simulator:
        started = time.monotonic()
        reply = await stats(simulator)
        assert time.monotonic() - started >= 0.25
        assert counts(reply) == TRUE


async def test_keep_alive_that_is_not_kept() -> None:
    """The reply says keep-alive, and then the connection is closed all the same."""
    async with switched(close_after_reply="always") as simulator:
        arguments: dict[str, object] = {"SessionID": "fake-key-0001", "Minutes1": 1, "Minutes2": 2}
        request = call_bytes("ReportInstantStats", arguments, Binding.HTTP_GET)
        reply = await exchange(simulator, request.replace(b"Connection: close\r\n", b""))
        assert (reply.status, reply.headers["connection"]) == (200, "keep-alive")


async def test_latency_is_waited_for() -> None:
    """Fixed plus jitter; the arrival is stamped before it."""
    async with switched(latency_ms="60", jitter_ms="20") as simulator:
        await stats(simulator)
        arrival = simulator.log.arrivals[0]
        assert arrival.answered_monotonic is not None
        assert 0.06 <= arrival.answered_monotonic - arrival.monotonic < 2


def test_every_selector_is_seen_on_the_wire() -> None:
    """No switch exists that these tests do not throw."""
    thrown = {*CANNED, *FAULTS, *DATA, *ALTERED_COUNTS}
    thrown |= {"fault_framework", "fault_unknown", "negative_count", "echo_credential", "dtd"}
    thrown |= {"bom", "wrong_charset", "gzip", "truncated", "cut_body", "drop_connection"}
    thrown |= {"never_answer", "slow_body", "close_after_reply", "redirect"}
    thrown |= {"login_refused", "login_throttled"}  # test_admission.py
    thrown |= {"hostile"}  # test_hostile.py
    assert thrown == set(SELECTORS)
