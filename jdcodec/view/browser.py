"""A page to the user's browser, without leaving a file behind.

The page is served once, on this machine only and at an address that cannot be guessed. A temporary file would
be simpler, but browsers that are packed as snaps see neither the temporary folder nor hidden ones.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from jdcodec.errors import OutputError

#: Seconds that a browser gets to start and ask for the page.
PATIENCE = 60.0


def check_browser() -> None:
    """Raise OutputError where there is no desktop that a browser could show a window on."""
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")
    if sys.platform not in ("win32", "darwin") and not has_screen:
        raise OutputError("there is no desktop here to open a browser on; write the page with -o page.html")


def show(page: bytes, name: str) -> None:
    """Open a page in the browser; returns when the browser has it. Raises OutputError."""
    place = f"/{secrets.token_urlsafe(16)}/{quote(name, safe='', errors='replace')}.html"
    delivered = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        """Answers the one address, with the page."""

        timeout = 10

        def do_GET(self) -> None:
            if self.path != place:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(page)
            self.wfile.flush()
            delivered.set()

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep quiet."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}{place}"
            if not webbrowser.open(address):
                raise OutputError("no browser could be opened; write the page with -o page.html")
            if not delivered.wait(PATIENCE):
                raise OutputError("the browser did not ask for the page; write it with -o page.html")
        finally:
            server.shutdown()


def show_file(path: Path) -> None:
    """Open a page that has been written. Raises OutputError."""
    if not webbrowser.open(path.absolute().as_uri()):
        raise OutputError(f"{path} is written, but no browser could be opened")


class _Server(ThreadingHTTPServer):
    # Browsers open connections that they then do not use; none of them is waited for.
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a connection that the browser broke off: it asks again, or patience ends."""
