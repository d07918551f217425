"""Any catalog by its address: one that speaks the Iceberg REST protocol, over real HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector.domain.secret import Secret
from pipelines.lake import Lake
from pipelines.warehouse.target import IcebergCatalog
from tests.warehouse.ground import Look, contents, load, night_of, publish_night
from tests.warehouse.rest_catalog import TOKEN, RestCatalog, rest_catalog


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[RestCatalog]:
    """A catalog that has nothing yet."""
    with rest_catalog(tmp_path, f"file://{tmp_path}/iceberg") as running:
        yield running


@pytest.fixture
def over_http(iceberg: IcebergCatalog, rest: RestCatalog) -> IcebergCatalog:
    """The target; the token is a secret of the configuration."""
    return replace(iceberg, uri=Secret(rest.uri), properties={"token": Secret(TOKEN)})


@pytest.mark.extended
def test_it_holds_what_a_sql_catalog_holds(
    lake: Lake, tmp_path: Path, iceberg: IcebergCatalog, over_http: IcebergCatalog
) -> None:
    """Loaded, loaded again, and a run published again: the same rows in both."""
    publish_night(lake, tmp_path, 0)
    publish_night(lake, tmp_path, 1, night_of(missing=2))
    for again in (False, True):
        loads = [load(lake, target) for target in (iceberg, over_http)]
        assert [each.error for each in loads] == [None, None]
        assert [each.runs for each in loads] == ([0, 0] if again else [2, 2])
    publish_night(lake, tmp_path, 1, night_of(sessions=5))
    assert load(lake, over_http).runs == load(lake, iceberg).runs == 1
    assert contents(Look(over_http)) == contents(Look(iceberg))


def test_it_goes_away_between_two_tables(
    lake: Lake,
    tmp_path: Path,
    rest: RestCatalog,
    iceberg: IcebergCatalog,
    over_http: IcebergCatalog,
) -> None:
    """What was committed stays and is not counted again; the next load brings the rest."""
    publish_night(lake, tmp_path, 0)
    assert load(lake, over_http).caught_up
    publish_night(lake, tmp_path, 1)
    rest.fails_from = rest.commits + 3
    broken = load(lake, over_http)
    assert (broken.runs, broken.caught_up) == (0, False)
    assert "closed for repairs" in str(broken.error)
    assert "load again" in str(broken.error)
    rest.fails_from = None
    mended = load(lake, over_http)
    assert (mended.error, mended.runs) == (None, 1)
    assert load(lake, over_http).runs == 0
    assert load(lake, iceberg).runs == 2
    assert contents(Look(over_http)) == contents(Look(iceberg))


def test_who_is_not_let_in(lake: Lake, tmp_path: Path, over_http: IcebergCatalog) -> None:
    """A sentence without the token."""
    publish_night(lake, tmp_path, 0)
    refused = load(lake, replace(over_http, properties={"token": Secret("fake-token-0002")}))
    assert (refused.runs, refused.caught_up) == (0, False)
    assert "warehouse.iceberg" in str(refused.error)
    assert "fake-token" not in str(refused.error)
    assert "\n" not in str(refused.error)
