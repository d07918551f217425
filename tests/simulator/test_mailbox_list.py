"""MailboxList and MailboxListEx: who may list what, and how it is written."""

import re

import pytest

from collector.domain.binding import Binding
from collector.simulator import Population, Simulator, Switches
from tests.simulator.wire import Reply, call

PEOPLE = Population(30, login_every=0)


async def listing(
    binding: Binding = Binding.SOAP12, network: int | None = None, name: str = "", **texts: object
) -> Reply:
    """The reply to the first user."""
    arguments: dict[str, object] = {"SessionID": "fake-key-0001", "Name": name}
    if network is not None:
        arguments["NetworkID"] = network
    operation = "MailboxList" if network is None else "MailboxListEx"
    async with Simulator(PEOPLE, Switches.parse(texts)) as simulator:
        return await call(simulator, operation, arguments, binding)


def numbers(reply: Reply) -> list[int]:
    """The mailboxes of an answer."""
    assert reply.status == 200, reply.text
    return [int(each) for each in re.findall(r"<MailboxIDInfo>\s*<MailboxID>(\d+)<", reply.text)]


@pytest.mark.parametrize("binding", list(Binding))
async def test_the_callers_network(binding: Binding) -> None:
    """Its 25 mailboxes, in the envelope of each binding."""
    reply = await listing(binding, list_scope="network")
    assert numbers(reply) == list(range(10_001, 10_026))
    is_soap = binding in (Binding.SOAP11, Binding.SOAP12)
    assert ("<MailboxListResult><MailboxIDInfo>" in reply.text) is is_soap
    assert ("\n<ArrayOfMailboxIDInfo xmlns:xsd=" in reply.text) is not is_soap


@pytest.mark.parametrize(
    ("scope", "network", "said"),
    [
        ("none", None, "Access Denied"),
        ("none", 300, "Access Denied"),
        ("network", 301, "Access Denied"),
        ("network", 999, "Access Denied"),
        ("all", 999, "Not Found"),
    ],
)
async def test_who_may_not(scope: str, network: int | None, said: str) -> None:
    """By default nobody, since users are of mailbox level; no network but one's own; none that there is not."""
    reply = await listing(Binding.HTTP_GET, network, list_scope=scope)
    assert (reply.status, reply.text) == (500, f"{said}\n")


async def test_other_networks() -> None:
    """With the scope of all, and the own one with that of the network."""
    assert numbers(await listing(network=301, list_scope="all")) == list(range(10_026, 10_031))
    assert len(numbers(await listing(network=300, list_scope="network"))) == 25


async def test_names_and_states() -> None:
    """A name is looked for; odd ones are written as XmlSerializer does; numbers decide who is out of use."""
    assert numbers(await listing(name="BOX-0007", list_scope="network")) == [10_007]
    odd = await listing(list_scope="network", mailbox_names="odd", mailbox_states="mixed")
    assert "<Name>&lt;Straße&gt; &amp; Söhne</Name>" in odd.text
    assert "<Name>Acme\nOrders</Name>" in odd.text
    assert "<Name />" in odd.text
    assert len(re.findall(r"</NetworkID><Created>", odd.text)) == 2  # null is no element
    assert odd.text.count("<Status>Suspended</Status>") == 5
    assert odd.text.count("<Managed>false</Managed>") == 4


async def test_who_am_i_says_the_level() -> None:
    """Of the network where it may list."""
    for scope, level in (("none", "MailboxUser"), ("network", "NetworkUser")):
        async with Simulator(PEOPLE, Switches.parse({"list_scope": scope})) as simulator:
            reply = await call(simulator, "WhoAmI", {"SessionID": "fake-key-0001"})
        assert f"<AuthLevel>{level}</AuthLevel>" in reply.text
