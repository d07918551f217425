"""A store that speaks S3, on loopback, in a process of its own: `python -m tests.pipelines.object_store PORT`."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pyarrow import fs

from collector.domain.secret import Secret
from pipelines.lake import Lake, S3Options

KEY, WORD = "fake-access-key-000001", "fake-secret-key-000002"
BUCKET = "lake-of-a-test"
ROOT = Path(__file__).parents[2]


class ObjectStore:
    """The process, and what it takes to reach it. What it holds is gone with it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, bucket: bool = True) -> None:
        """Start, wait until it answers, and make the bucket."""
        command = [sys.executable, "-W", "ignore", "-m", "tests.pipelines.object_store"]
        self._process = subprocess.Popen(
            [*command, str(self.port)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                break
            assert self._process.poll() is None, "the store did not start"
            time.sleep(0.05)
        if bucket:
            self.filesystem(allow_bucket_creation=True).create_dir(BUCKET)

    def stop(self) -> None:
        """Kill it; connections are refused from now on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def let_nobody_in(self) -> None:
        """From now on every key is unknown."""
        request = urllib.request.Request(  # noqa: S310  # loopback
            f"{self.endpoint}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310  # loopback

    def filesystem(self, **options: bool) -> fs.S3FileSystem:
        """A client beside the product's."""
        return fs.S3FileSystem(
            access_key=KEY,
            secret_key=WORD,
            region="us-east-1",
            endpoint_override=self.endpoint,
            **options,
        )

    def options(self) -> S3Options:
        """As the product takes them."""
        return S3Options(self.endpoint, "us-east-1", Secret(KEY), Secret(WORD))

    def lake(self, drafts: Path, prefix: str = "tables") -> Lake:
        """A lake in the bucket."""
        return Lake.at(f"s3://{BUCKET}/{prefix}", self.options(), drafts)

    def objects(self, prefix: str = "tables") -> dict[str, int]:
        """The objects below a prefix, with their sizes."""
        selector = fs.FileSelector(f"{BUCKET}/{prefix}", recursive=True, allow_not_found=True)
        found = self.filesystem().get_file_info(selector)
        start = len(f"{BUCKET}/{prefix}/")
        return {info.path[start:]: info.size for info in found if info.is_file}


@contextlib.contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A store on a free port, ended with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ObjectStore(port)
    try:
        store.start()
        yield store
    finally:
        store.stop()


def main(port: int) -> None:
    """Serve until killed."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  # a second to import

    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    server._thread.join()  # it serves in a thread


if __name__ == "__main__":
    main(int(sys.argv[1]))
