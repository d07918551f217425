"""The page in Chromium: whole without scripts, without a request, for everybody who reads it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_core_python
import pytest

from tests.report.chromium import chromium, shown
from tests.report.conftest import Program
from tests.report.lakes import written_config

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
SIZES = ((1280, 900), (400, 800))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, without a profile."""
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def places(page: Path, tmp_path_factory: pytest.TempPathFactory, program: Program) -> list[Path]:
    """The page, the index, and the page of a lake without runs."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "data" / "lake").mkdir(parents=True)
    code, found, said = program("report", "-c", str(written_config(folder)))
    assert code == 0, said
    return [page, page.with_name("index.html"), Path(found["page"]), Path(found["index"])]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(browser: Any, places: list[Path], scheme: str) -> None:
    """Nothing that axe calls serious or critical: contrast, names, headings, tables, what the keyboard reaches."""
    for place in places:
        shown(browser, place, scheme=scheme)
        browser.execute_script(
            AXE.read_text(encoding="utf-8")
            + "for (const each of document.querySelectorAll('details')) each.open = true;"
        )
        found = browser.execute_async_script("axe.run().then(arguments[0])")
        wrong = [
            (each["id"], each["impact"], [node["html"][:200] for node in each["nodes"]][:3])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert wrong == []
        assert len(found["passes"]) > 10


def test_nothing_but_the_file_is_asked_for(browser: Any, places: list[Path]) -> None:
    """No request, and nothing that the policy of the page had to refuse."""
    for place in places:
        browser.get_log("performance")
        browser.get_log("browser")
        shown(browser, place)
        events = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
        asked = [
            each["params"]["request"]["url"]
            for each in events
            if each["method"] == "Network.requestWillBeSent"
        ]
        assert asked == [place.as_uri()]
        assert browser.get_log("browser") == []


def test_all_of_it_is_there_without_scripts(browser: Any, page: Path) -> None:
    """And no hostile text has become anything else."""
    shown(browser, page)
    html = "return document.body.innerText"
    with_scripts = browser.execute_script(html)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        shown(browser, page)
        nodes = browser.execute_cdp_cmd("DOM.getDocument", {"depth": 1})["root"]["nodeId"]
        scripts = browser.execute_cdp_cmd(
            "DOM.querySelectorAll", {"nodeId": nodes, "selector": "script"}
        )
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert scripts["nodeIds"] == []
    assert browser.execute_script(html) == with_scripts
    assert "<script>alert('x')</script>" in with_scripts


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fits_and_is_there_at_once(browser: Any, page: Path, width: int, height: int) -> None:
    """Nothing is wider than the window; who opens it can read within a second; what to do is on the first screen."""
    shown(browser, page, width=width, height=height)
    found = browser.execute_script(
        "const at = performance.getEntriesByType('navigation')[0];"
        "return [document.documentElement.scrollWidth, at.domInteractive,"
        " document.querySelector('#todo').getBoundingClientRect().bottom]"
    )
    assert found[0] <= width
    assert found[1] < 1_000
    if width > 1_000:
        assert found[2] < height


def test_the_keyboard_reaches_what_is_folded(browser: Any, page: Path) -> None:
    """A query opens by the keyboard, and the focus is seen."""
    shown(browser, page)
    summary = browser.find_element("css selector", "summary")
    summary.send_keys("\ue006")
    assert browser.execute_script("return document.querySelector('details').open")
    style = browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"
