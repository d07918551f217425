"""Compiles and serves the C# service of this folder: Mono's ASP.NET behind nginx, on loopback.

Everything it writes is in one temporary folder; what it starts, it ends by process id.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import string
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

__all__ = ["RealStack", "missing_packages", "serving"]

HERE: Final = Path(__file__).parent
NEEDED: Final = {  # what must be there -> the Debian package it comes with
    "/usr/bin/mcs": "mono-mcs",
    "/usr/bin/fastcgi-mono-server4": "mono-fastcgi-server4",
    "/usr/sbin/nginx": "nginx-light",
    "/usr/lib/mono/4.5/System.Web.Services.dll": "libmono-system-web-services4.0-cil",
    "/usr/lib/mono/4.5/System.Data.dll": "libmono-system-data4.0-cil",
    "/usr/lib/mono/4.5/System.Numerics.dll": "libmono-system-numerics4.0-cil",
}
ASSEMBLIES: Final = (
    "System.Data",
    "System.Xml",
    "System.Web",
    "System.Web.Services",
    "System.Numerics",
)
START_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 10.0
TIME_ZONE: Final = "America/New_York"  # that of tests/asmx-samples


def missing_packages() -> list[str]:
    """The packages that would have to be installed, by name."""
    return [package for path, package in NEEDED.items() if not Path(path).exists()]


@dataclass(frozen=True, slots=True)
class RealStack:
    """A served site: where it is, and its own pages."""

    host: str
    port: int

    @property
    def service_path(self) -> str:
        """The path at which the real service lives."""
        return "/v4.1/prod/ECGridOS.asmx"

    @property
    def url(self) -> str:
        """The address for a configuration file."""
        return f"http://{self.host}:{self.port}{self.service_path}"

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request on a connection of its own: status, headers, body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def sent(self) -> list[dict]:
        """The service's journal: every call it was asked, with what it answered."""
        status, _, body = self.exchange("GET", "/sent.ashx")
        assert status == 200, body[:500]
        return json.loads(body)

    def open_sessions(self) -> int:
        """How many logins were not logged out."""
        _, headers, _ = self.exchange("GET", "/sent.ashx")
        return int(headers["X-Open-Sessions"])

    def reset(self, *, expire_after: int = 0, fault: str = "word") -> None:
        """Forget journal and sessions; later sessions end after so many calls (0: never)."""
        form = urlencode({"expireAfter": expire_after, "fault": fault}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _, body = self.exchange("POST", "/sent.ashx", form, headers)
        assert status == 200, body[:500]

    def scenarios(self) -> list[str]:
        """The names of all DataSet scenarios."""
        status, _, body = self.exchange("GET", "/scenarios.ashx")
        assert status == 200, body[:500]
        return json.loads(body)

    def dump(self, answer: bytes) -> str:
        """What .NET holds after reading an answer's body, as JSON."""
        headers = {"Content-Type": "application/octet-stream"}
        status, _, body = self.exchange("POST", "/dump.ashx", answer, headers)
        assert status == 200, body[:2000]
        return body.decode()


@contextmanager
def serving(folder: Path) -> Iterator[RealStack]:
    """Compile into `folder`, serve on free ports until the block ends."""
    site = folder / "site"
    shutil.copytree(HERE / "site", site)
    compile_service(site / "bin" / "Interop.dll")
    http_port, fastcgi_port = free_ports(2)
    stack = RealStack("127.0.0.1", http_port)
    with (
        ended(start_mono(folder, site, fastcgi_port)) as mono,
        ended(start_nginx(folder, site, http_port, fastcgi_port)) as nginx,
    ):
        wait_until_it_answers(stack, (mono, nginx), folder)
        yield stack


def compile_service(target: Path) -> None:
    """Compile every C# file of this folder into one library."""
    target.parent.mkdir(parents=True)
    sources = sorted(str(path) for path in (HERE / "service").rglob("*.cs"))
    references = [f"-r:{name}.dll" for name in ASSEMBLIES]
    command = ["mcs", "-nologo", "-target:library", f"-out:{target}", *references, *sources]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the C# service does not compile:\n{done.stdout}{done.stderr}")


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def start_mono(folder: Path, site: Path, port: int) -> subprocess.Popen:
    """The ASP.NET process; its temporary files stay in the folder."""
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "TZ": TIME_ZONE,
        "LC_ALL": "C.UTF-8",
        "MONO_THREADS_PER_CPU": "50",
    }
    command = ["fastcgi-mono-server4", f"--applications=/:{site}", f"--socket=tcp:127.0.0.1:{port}"]
    with (folder / "mono.log").open("wb") as log:
        return subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def start_nginx(folder: Path, site: Path, http_port: int, fastcgi_port: int) -> subprocess.Popen:
    """The web server in front; its prefix is the folder."""
    template = string.Template((HERE / "nginx.conf.template").read_text(encoding="utf-8"))
    text = template.substitute(
        # As root it would otherwise give its workers to a user who may not enter the folder.
        user_line="user root;" if os.geteuid() == 0 else "",
        http_port=http_port,
        fastcgi_port=fastcgi_port,
        site=site,
    )
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    command = ["/usr/sbin/nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    with (folder / "nginx.log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


@contextmanager
def ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """End the process at the end of the block: asked first, then killed."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_LIMIT_S)


def wait_until_it_answers(
    stack: RealStack, processes: tuple[subprocess.Popen, ...], folder: Path
) -> None:
    """The first call compiles the page; until then nginx answers 502, or nobody does."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in processes):
            break
        try:
            status, _, body = stack.exchange("GET", f"{stack.service_path}/Version")
        except OSError:
            status, body = 0, b""
        if status == 200 and b"ECGridOS" in body:
            return
        time.sleep(0.1)  # no event tells when another process is ready
    logs = [(folder / name).read_text(errors="replace") for name in ("mono.log", "nginx.log")]
    raise RuntimeError(f"the ASP.NET stack did not answer within {START_LIMIT_S} s:\n{logs}")
