"""Health, readiness and counters of the node over HTTP, without identifiers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


def serve(
    host: str,
    port: int,
    registry: CollectorRegistry,
    is_healthy: Callable[[], bool],
    is_ready: Callable[[], bool],
) -> ThreadingHTTPServer:
    """Answer GET /health, /ready (200 or 503) and /metrics (Prometheus) until `shutdown`. Raises OSError."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path == "/health":
                self._answer_state(is_healthy())
            elif self.path == "/ready":
                self._answer_state(is_ready())
            else:
                self._answer(404, b"not found\n", "text/plain")

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer_state(self, is_good: bool) -> None:
            self._answer(200 if is_good else 503, b"yes\n" if is_good else b"no\n", "text/plain")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer((host, port), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
