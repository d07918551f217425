"""When requests reached a port of this machine, by the kernel's clock: a process that is late to look changes nothing.

Needs root, as every program that listens to an interface does.
"""

import ctypes
import socket
import struct
import threading
from types import TracebackType
from typing import Final, Self

__all__ = ["Wiretap"]

_IPV4: Final = 0x0800
_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER
_TIMESTAMP_NS: Final = 35  # SO_TIMESTAMPNS, and its control message
_BUFFER_FORCE: Final = 33  # SO_RCVBUFFORCE
_BUFFER: Final = 64 << 20
_OUTGOING: Final = 4  # PACKET_OUTGOING: on loopback each packet is seen going, and then coming
_STARTS: Final = (b"POST ", b"GET ")


def _to_port(port: int) -> bytes:
    """The kernel's own filter: TCP over IPv4 to that port, the first 200 bytes of each packet."""
    lines = [
        (0x28, 0, 0, 12),  # the frame's type
        (0x15, 0, 7, _IPV4),
        (0x30, 0, 0, 23),  # the protocol
        (0x15, 0, 5, socket.IPPROTO_TCP),
        (0xB1, 0, 0, 14),  # the length of the IP header
        (0x48, 0, 0, 16),  # the port behind it
        (0x15, 0, 2, port),
        (0x06, 0, 0, 200),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 0),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


class Wiretap:
    """A block in which the beginnings of requests to a port are written down.

    Attributes:
        instants: in seconds since 1970, in the order of their coming.
    """

    def __init__(self, port: int) -> None:
        self.instants: list[float] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4))
        program = ctypes.create_string_buffer(_to_port(port))
        described = struct.pack("HL", len(program) // 8, ctypes.addressof(program))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, described)
        self._socket.setsockopt(socket.SOL_SOCKET, _BUFFER_FORCE, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
        self._socket.bind(("lo", _IPV4))
        self._socket.settimeout(0.3)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(5)
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                packet, control, _, address = self._socket.recvmsg(256, 128)
            except TimeoutError:
                if self._ended.is_set():
                    return
                continue
            if address[2] == _OUTGOING:
                continue
            ip_bytes = (packet[14] & 15) * 4
            tcp_bytes = (packet[14 + ip_bytes + 12] >> 4) * 4
            if packet[14 + ip_bytes + tcp_bytes :].startswith(_STARTS):
                seconds, nanoseconds = struct.unpack("ll", control[0][2][:16])
                self.instants.append(seconds + nanoseconds / 1e9)
