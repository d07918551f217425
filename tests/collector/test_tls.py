"""TLS with real sockets: what is right is let through, what is wrong is refused in one sentence that says which."""

import asyncio
import re
import ssl
from pathlib import Path

import pytest

from collector.config import Settings, load
from collector.domain.trust import certificate_fault
from collector.errors import CertificateError, ConfigError, ConnectError, FatalError
from collector.transport import Transport
from collector.wire.requests import Request
from tests.collector.certificates import FAULTS, authority, tls_server
from tests.collector.raw_server import OK, Peer, closed_port, serving

KEY = "fake-key-0001"


def transport(ca_file: Path | None) -> Transport:
    """A transport as a run has it."""
    return Transport(
        timeout_seconds=5,
        max_reply_bytes=10_000,
        user_agent="test-agent",
        ca_file=ca_file,
    )


async def answer(peer: Peer) -> None:
    """Answer whatever is asked."""
    await peer.request()
    await peer.say(OK)


def get(url: str) -> Request:
    """A request that would carry a credential."""
    return Request("GET", f"{url}?SessionID={KEY}", {}, None)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_private_authority_is_trusted_if_it_is_named(tmp_path: Path, host: str) -> None:
    """With `ca_file` the right certificate is good; without it nobody knows its authority."""
    ca, path = authority(tmp_path)
    async with serving(answer, tls_server(ca)) as served:
        url = served.url.replace("http://127.0.0.1", f"https://{host}")
        async with transport(path) as sender:
            assert (await sender.send(get(url))).reply.body == b"ok"
        async with transport(None) as sender:
            with pytest.raises(CertificateError, match=r"unknown authority.*service\.ca_file"):
                await sender.send(get(url))
    assert len(served.heads) == 1


async def test_connections_are_ended_in_order(tmp_path: Path) -> None:
    """When a run is over the service has heard of the end of each connection."""
    ca, path = authority(tmp_path)

    async def answer_all(peer: Peer) -> None:
        while True:
            await answer(peer)

    async with serving(answer_all, tls_server(ca)) as served:
        url = served.url.replace("http", "https")
        async with transport(path) as sender:
            await asyncio.gather(*(sender.send(get(url)) for _ in range(6)))
            assert (served.connections, served.ended) == (6, 0)
        assert served.ended == 6


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_wrong_certificate_is_refused(tmp_path: Path, fault: str) -> None:
    """One kind of error, which ends a run; it says what is wrong and what to do, and nothing was sent."""
    ca, path = authority(tmp_path)
    async with serving(answer, tls_server(ca, fault)) as served, transport(path) as sender:
        host = "localhost" if fault == "name" else "127.0.0.1"
        with pytest.raises(CertificateError) as refused:
            await sender.send(get(served.url.replace("http://127.0.0.1", f"https://{host}")))
    assert isinstance(refused.value, FatalError)
    for words in FAULTS[fault]:
        assert words in str(refused.value)
    assert KEY not in str(refused.value)
    assert served.heads == []


async def test_no_tls_where_tls_is_expected(tmp_path: Path) -> None:
    """A server that speaks plain HTTP on that port, or none at all, is no certificate fault."""
    _, path = authority(tmp_path)

    async def speak_plainly(peer: Peer) -> None:
        await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(speak_plainly) as served, transport(path) as sender:
        for url, said in (
            (
                served.url,
                "does not speak it; is the port in service.url right? (WRONG_VERSION_NUMBER)",
            ),
            (f"http://127.0.0.1:{closed_port()}", "(Connection refused)"),
        ):
            with pytest.raises(ConnectError, match=re.escape(said) + "$") as refused:
                await sender.send(get(url.replace("http:", "https:")))
            assert str(refused.value).startswith("cannot connect to 127.0.0.1:")


def configured(folder: Path, ca_file: str) -> Settings:
    """A configuration with that `ca_file`."""
    path = folder / "x.toml"
    path.write_text(
        f'[service]\nurl = "https://host.invalid/x.asmx"\nca_file = "{ca_file}"\n'
        '[windows]\nminutes = [60]\n[[sessions]]\nlabel = "acme"\napi_key = "env:KEY"\n'
    )
    return load(path)


def test_ca_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    """A relative path is relative to the file that names it; comments in the bundle do no harm."""
    _, path = authority(tmp_path)
    path.write_text("# the authority of our own Straße\n" + path.read_text(), encoding="utf-8")
    assert configured(tmp_path, "ca.pem").service.ca_file == path
    assert configured(tmp_path, str(path)).service.ca_file == path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("", "PEM"),
        ("not a certificate", "PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "PEM"),
    ],
    ids=["missing", "empty", "text", "garbage"],
)
def test_ca_file_that_is_none(tmp_path: Path, content: str | None, words: str) -> None:
    """The message names the key, the file as it was written, and what would be right."""
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigError) as refused:
        configured(tmp_path, "ca.pem")
    assert "service.ca_file = 'ca.pem'" in str(refused.value)
    assert words in str(refused.value)


async def test_ca_file_that_goes_away(tmp_path: Path) -> None:
    """It may be gone between the reading of the configuration and the first request."""
    with pytest.raises(ConfigError, match=r"service\.ca_file"):
        await transport(tmp_path / "ca.pem").__aenter__()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (8, "was refused (words); ask who runs the service"),
        (9, "is not valid yet (words); is this machine's clock right?"),
        (10, "has expired (words); is this machine's clock right?"),
        (11, "was refused"),
        (18, "is self-signed (words); if you know the authority"),
        (19, "was issued by an unknown authority (words); if you know the authority"),
        (20, "was issued by an unknown authority (words); if you know the authority"),
        (21, "was issued by an unknown authority (words); if you know the authority"),
        (22, "was refused"),
        (62, "is for another host name (words); does service.url name the right host?"),
        (64, "is for another address (words); does service.url name the right host?"),
    ],
)
def test_what_openssl_says(code: int, words: str) -> None:
    """Each of its numbers for what is wrong with a certificate has a sentence that helps."""
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "words"
    assert certificate_fault(error).startswith(f"the service's certificate {words}")
