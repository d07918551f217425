"""The first steps of a new user: `init`, credentials, `check`, `plan`, `run`."""

from pathlib import Path

import pytest

from collector.config import load
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import population


@pytest.mark.extended
async def test_from_nothing_to_a_night(ground: MakeGround, tmp_path: Path) -> None:
    """The file is accepted as it is once the secrets are there; what it collects is beside it, wherever one stands."""
    night = await ground(population(2, 0), "")
    night.config = tmp_path / "new" / "ecgrid.toml"
    night.config.parent.mkdir()
    process = await night.shell(f"{' '.join(night.program)} init {night.config}")
    out, err = await process.communicate()
    assert process.returncode == 0, err
    assert f"ecgrid-stats check  -c {night.config}" in out.decode()
    assert "env:ECGRID_ACME_KEY" in out.decode()
    text = night.config.read_text()
    assert load(night.config).storage.root == tmp_path / "new" / "data"

    keys = [known.api_key for known in night.simulator.population.credentials().values()]
    beta = 'login_name = "env:ECGRID_BETA_LOGIN"\npassword = "file:beta.password"'
    assert beta in text
    text = text.replace(beta, 'api_key = "env:ECGRID_BETA_KEY"')
    night.config.write_text(text.replace(load(night.config).service.url, night.simulator.url))
    without = await night.run("check")
    assert without.code == 2
    assert "ECGRID_ACME_KEY" in without.out
    night.environment |= {"ECGRID_ACME_KEY": str(keys[0]), "ECGRID_BETA_KEY": str(keys[1])}
    checked = await night.run("check")
    assert checked.code == 0, checked.out
    planned = await night.run("plan")
    assert planned.code == 0, planned.err
    assert 1_000 < planned.json["new"] <= 2 * 22 * 24


async def test_nothing_is_overwritten(ground: MakeGround) -> None:
    """A file that is there, or a folder that is not, is named, with what to do."""
    night = await ground(population(1, 0), "")
    before = night.config.read_text()
    for file, said in (
        (night.config, "is there already and stays as it is; name another file"),
        (night.folder / "none" / "x.toml", "No such file or directory; must be a file in a folder"),
    ):
        process = await night.shell(f"{' '.join(night.program)} init {file}")
        out, err = await process.communicate()
        assert process.returncode == 2
        assert out == b""
        assert str(file) in err.decode()
        assert said in err.decode()
    assert night.config.read_text() == before
