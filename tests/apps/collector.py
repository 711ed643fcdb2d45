"""An OpenTelemetry collector that keeps what it gets."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Collector:
    """Keeps requests; answers with the statuses that it was given, then with 200."""

    def __init__(self, test, statuses=(), headers=(), body="{}"):
        self.requests = []
        answers = iter(statuses)
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((self.path, dict(self.headers), sent))
                status = next(answers, 200)
                self.send_response(status)
                for name, value in headers if status != 200 else ():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        test.addCleanup(self.server.server_close)
        test.addCleanup(self.server.shutdown)

    def spans(self):
        spans = []
        for _, headers, sent in self.requests:
            text = gzip.decompress(sent) if headers.get("Content-Encoding") == "gzip" else sent
            for resource in json.loads(text)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    spans += scope["spans"]
        return spans


def attributes(span):
    return {item["key"]: next(iter(item["value"].values())) for item in span["attributes"]}
