"""What a PostgreSQL server says first, said by hand over a real socket: for answers that the real one does not give."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

__all__ = ["answering", "refusing"]


@contextlib.contextmanager
def answering(first: bytes, then: bytes = b"") -> Iterator[int]:
    """A server that answers the first message with `first` and the next with `then`; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        ended = threading.Event()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not ended.is_set():
                    client, _ = server.accept()
                    with client:
                        client.settimeout(20)
                        if client.recv(4096)[4:8] == struct.pack("!i", 80877103):  # SSLRequest
                            client.sendall(b"N")
                            client.recv(4096)
                        client.sendall(first)
                        client.recv(4096)
                        client.sendall(then)
                        client.recv(4096)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            with contextlib.suppress(OSError):  # wakes it, if it waits for somebody
                socket.create_connection(server.getsockname(), 1).close()
            thread.join(30)


def refusing(message: str) -> contextlib.AbstractContextManager[int]:
    """A server that asks for the password and refuses it with these words."""
    fields = {"S": "FATAL", "V": "FATAL", "C": "28P01", "M": message}
    body = b"".join(f"{key}{text}\0".encode() for key, text in fields.items()) + b"\0"
    wants_password = b"R" + struct.pack("!ii", 8, 3)
    return answering(wants_password, b"E" + struct.pack("!i", len(body) + 4) + body)
