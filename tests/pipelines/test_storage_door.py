"""The door to a lake: which addresses it opens, and what it refuses."""

import time
from pathlib import Path

import pytest
from pyarrow import fs

from collector.domain.secret import Secret
from pipelines.errors import StorageError
from pipelines.lake import Lake, S3Options, open_filesystem
from pipelines.lake.objects import ObjectStorage


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_a_folder(tmp_path: Path, form: str) -> None:
    """A path and its file: address are the same place."""
    filesystem, base = open_filesystem(form.format(tmp_path))
    assert isinstance(filesystem, fs.LocalFileSystem)
    assert Path(base) == tmp_path
    assert Lake.at(form.format(tmp_path)).folder == tmp_path


def test_a_bucket_and_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of the network; region and credentials are those given, or of the environment."""
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    filesystem, base = open_filesystem("s3://bucket/some/prefix/")
    assert isinstance(filesystem, fs.S3FileSystem)
    assert (base, filesystem.region) == ("bucket/some/prefix", "eu-north-1")
    options = S3Options("http://127.0.0.1:1", "eu-west-1", Secret("fake-key"), Secret("fake-word"))
    filesystem, _ = open_filesystem("s3://bucket/p", options)
    assert filesystem.region == "eu-west-1"
    assert "fake" not in repr(options)


def test_a_lake_behind_fsspec(tmp_path: Path) -> None:
    """Whatever fsspec knows will do."""
    lake = Lake.at("memory://lake/here", drafts=tmp_path)
    assert isinstance(lake.storage, ObjectStorage)
    lake.storage.put("_manifest/version", b"1\n")
    assert lake.storage.read("_manifest/version") == b"1\n"
    assert lake.storage.sizes("") == {"_manifest/version": 2}
    assert lake.storage.sizes("nothing") == {}


@pytest.mark.parametrize("more", ["", "&retry_limit_seconds=1"])
def test_a_store_that_is_not_there_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    """Google's library would try for a quarter of an hour; the address may say for how long, too."""
    monkeypatch.setattr("pipelines.lake.addresses._REQUEST_SECONDS", 1)
    place = "gs://anonymous@bucket/p?scheme=http&endpoint_override=127.0.0.1:1"
    begun = time.monotonic()
    with pytest.raises(StorageError, match="the lake gs://"):
        Lake.at(place + more, drafts=tmp_path).check_version()
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("address", ["nosuch://bucket/x", "s3://", "s3://bucket/p?acl=public"])
def test_an_address_that_nothing_opens_is_refused(address: str) -> None:
    """In one sentence."""
    with pytest.raises(ValueError, match=r"nothing opens it|must be s3://bucket/prefix"):
        open_filesystem(address)


def test_nobodys_folder_is_taken_for_drafts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lake that is opened without a folder for drafts removes none that is there."""
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "drafts" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    Lake.at("memory://lake/of-nobody").settle()
    assert mine.read_text() == "mine"
