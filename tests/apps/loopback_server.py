"""An HTTP server of a test's own, in a thread of its own."""

import http.server
import threading


class LoopbackServer(http.server.ThreadingHTTPServer):
    """Serves on loopback as long as its `with` block lasts."""

    daemon_threads = True

    def __init__(self, handler, address="127.0.0.1"):
        super().__init__((address, 0), handler)
        self.requests = []

    def handle_error(self, request, client_address):
        """Clients that hang up say so themselves."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
