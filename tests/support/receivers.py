"""A real Alertmanager, and an HTTP receiver whose answers are set by tests."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from processes import until


class Alertmanager:
    """Debian's, on a free port of this machine; it keeps its port when it is started again."""

    def __init__(self, program, folder, port):
        self._program = program
        self._folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = None
        (folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")

    def start(self):
        with (self._folder / "alertmanager.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._folder}/alertmanager.yml",
                    f"--storage.path={self._folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self.answers)
        return self

    def answers(self):
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

    def alerts(self):
        """The firing alerts."""
        return httpx.get(f"{self.url}/api/v2/alerts?active=true", timeout=5).raise_for_status().json()


class Receiver:
    """Keeps its requests; gives its answers in order, and 204 after the last."""

    def __init__(self):
        self.requests = []
        self.answers = []
        kept, answers = self.requests, self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers["content-length"]))
                status, headers = answers.pop(0) if answers else (204, {})
                kept.append((status, dict(self.headers), content))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def taken(self):
        """The accepted requests: headers and body."""
        return [(headers, json.loads(content)) for status, headers, content in self.requests if status < 300]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
