"""How many requests, and what part of the file, images of an archive take over HTTP.

    python benchmarks/urls.py ARCHIVE... [--codec CODEC] [--json]

Serves each archive on this machine by a server that answers ranges and counts, opens it by its URL
and reads an image from the middle, the one after it, one far away, and the labels. Requests and
bytes are those that each step adds, the bytes also as a part of the file.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import compressnet


@dataclass(slots=True)
class Served:
    """Files by name, and what was asked of them."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranged: bool = True
    """Whether parts of files are sent; else a file comes whole, as some servers do."""
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, Range header and bytes of each answer."""

    def taken(self) -> tuple[int, int]:
        """Requests and bytes since this was last asked."""
        requests, self.requests = self.requests, []
        return len(requests), sum(sent for _, _, sent in requests)


@contextmanager
def serving() -> Generator[Served]:
    """A web server on this machine, as long as the block lasts."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            asked = self.headers.get("Range", "")
            data = served.files.get(self.path.partition("?")[0].lstrip("/"))
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked) if data is not None and served.ranged else None
            status, part = (404, b"") if data is None else (200, data)
            if found and data is not None:
                status, part = 206, data[int(found[1]) : int(found[2]) + 1]
            self.send_response(status)
            if found and data is not None:
                self.send_header("Content-Range", f"bytes {found[1]}-{found[2]}/{len(data)}")
            if served.ranged:
                self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            served.requests.append((self.command, asked, len(part) if with_body else 0))
            if with_body:
                self.wfile.write(part)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took."""

    name: str
    requests: int
    bytes: int
    share: float
    """Of the file."""


def measure(data: bytes, codec: str | None = None) -> list[Step]:
    """Open an archive of these bytes by a URL, and read of it."""
    steps: list[Step] = []
    with serving() as served:
        served.files["a.cnet"] = data

        def step(name: str) -> None:
            requests, sent = served.taken()
            steps.append(Step(name, requests, sent, sent / len(data)))

        with compressnet.open(f"{served.url}/a.cnet", codec) as archive:
            step("open")
            middle, far = len(archive) // 2, len(archive) // 4
            archive[middle]
            step("an image")
            archive[middle + 1]
            step("the next image")
            archive[far]
            step("an image far away")
            archive.labels  # noqa: B018 - reading them is what is measured
            step("labels")
    return steps


def main(arguments: list[str] | None = None) -> None:
    """Measure archives, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--codec")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    measured = {path: measure(path.read_bytes(), options.codec) for path in options.archives}
    if options.json:
        print(
            json.dumps({str(path): [[s.name, s.requests, s.bytes] for s in steps] for path, steps in measured.items()})
        )
        return
    print("| archive | step | requests | bytes | of the file |\n| --- | --- | --- | --- | --- |")
    for path, steps in measured.items():
        for step in steps:
            print(f"| {path.name} | {step.name} | {step.requests} | {step.bytes:,} | {step.share:.2%} |")


if __name__ == "__main__":
    main()
