"""A third-party SOAP client reads the service description and calls everything."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
import zeep
from zeep.transports import Transport

from collector.simulator import Population, Simulator, Switches
from collector.simulator.stats import COUNT_COLUMNS

PORTS = ("ECGridOSSoap", "ECGridOSSoap12")


def calls(url: str, port: str) -> dict[str, Any]:
    """Every operation once, in the order of a session."""
    client = zeep.Client(f"{url}?WSDL", transport=Transport(timeout=10, operation_timeout=10))
    service = client.bind("ECGridOS", port)
    found: dict[str, Any] = {"Version": service.Version(), "NowUTC": service.NowUTC()}
    session_id = service.Login(LoginName="fake-login-0001", Password="fake-password-0001")
    found["Login"] = session_id
    found["WhoAmI"] = service.WhoAmI(SessionID=session_id)
    found["Stats"] = service.ReportInstantStats(SessionID=session_id, Minutes1=15, Minutes2=60)
    found["Ex"] = service.ReportInstantStatsEx(
        SessionID=session_id, NetworkID=300, MailboxID=10_001, ECGridID=0, Minutes1=15, Minutes2=60
    )
    found["List"] = service.MailboxList(SessionID=session_id, Name="")
    found["ListEx"] = service.MailboxListEx(SessionID=session_id, NetworkID=300, Name="0002")
    found["Logout"] = service.Logout(SessionID=session_id)
    with pytest.raises(zeep.exceptions.Fault, match="Invalid Session"):
        service.WhoAmI(SessionID=session_id)
    client.transport.session.close()
    return found


@pytest.mark.parametrize("port", PORTS)
async def test_zeep_calls_every_operation(port: str) -> None:
    """Simple results come back typed, the DataSet as schema and DiffGram."""
    logging.getLogger("zeep").setLevel(logging.ERROR)  # it warns of the HTTP ports it does not use
    now = datetime(2024, 1, 15, 12, tzinfo=UTC)
    switches = Switches.parse({"list_scope": "network"})
    async with Simulator(Population(2, login_every=1), switches, now=now) as simulator:
        found = await asyncio.to_thread(calls, simulator.url, port)
    assert found["Version"].startswith("v4.1")
    assert found["NowUTC"] == now
    assert found["Logout"] == 0
    assert (found["WhoAmI"].UserID, found["WhoAmI"].OpenSessions) == (7_001, 1)
    assert found["WhoAmI"].SessionID == found["Login"]
    assert [each.MailboxID for each in found["List"]] == [10_001, 10_002]
    assert (found["List"][0].Managed, found["List"][0].OwnerUserID.UserID) == (True, 7_001)
    assert [each.Name for each in found["ListEx"]] == ["Mailbox of mailbox-0002"]
    for name, answer in zip(("Stats", "Ex"), simulator.log.answers, strict=True):
        row = found[name]._value_1._value_1[0]["Table"]
        assert tuple(row[column] for column in COUNT_COLUMNS) == answer.counts


async def test_the_description_has_four_ports() -> None:
    """Both SOAP versions and both plain bindings, each with all operations."""
    async with Simulator(Population(1)) as simulator:
        client = await asyncio.to_thread(zeep.Client, f"{simulator.url}?wsdl")
        client.transport.session.close()
        ports = client.wsdl.services["ECGridOS"].ports
        assert list(ports) == [*PORTS, "ECGridOSHttpGet", "ECGridOSHttpPost"]
        for port in ports.values():
            assert len(port.binding._operations) == 9
            assert port.binding_options["address"] == simulator.url
