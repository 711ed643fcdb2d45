"""Versity S3 Gateway over a folder: with keep-alive, closing each connection, and with TLS."""

import os
import tempfile

from servers import install, versions
from servers.process import LOOPBACK, Server, answers_http, can_connect

ACCESS_KEY, SECRET_KEY = "unum-test", "unum-test-secret"


def keeps_attributes(directory):
    """Whether a file there can have extended attributes: /tmp in memory cannot before Linux 6.6."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        try:
            os.setxattr(file.name, "user.unum", b"1")
        except OSError:
            return False
    return True


class S3Gateway(Server):
    """`keep_alive` False: it closes the connection after each answer."""

    name = "Versity S3 Gateway"

    def __init__(self, directory, keep_alive=True, certificates=None):
        super().__init__(directory)
        self.keep_alive = keep_alive
        self.certificates = certificates
        self.says = "with TLS" if certificates else "" if keep_alive else "without keep-alive"
        self.program = ""

    def install(self):
        self.program = install.go_program("github.com/versity/versitygw/cmd/versitygw", versions.VERSITYGW,
                                          "versitygw")

    def command(self):
        objects, metadata = (os.path.join(self.directory, name) for name in ("objects", "metadata"))
        os.makedirs(objects, exist_ok=True)
        aside = []
        if not keeps_attributes(objects):
            os.makedirs(metadata, exist_ok=True)
            aside = ["--sidecar", metadata]
        files = self.certificates
        return [self.program, "--port", f"{LOOPBACK}:{self.port}", "--quiet",
                *(["--keep-alive"] if self.keep_alive else []),
                *(["--cert", files.certificate, "--key", files.key] if files else []),
                "posix", *aside, objects]

    def environment(self):
        return {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}

    def is_ready(self):
        return can_connect(self.port) if self.certificates else answers_http(self.port)

    def variables(self):
        if self.certificates:
            return {"UNUM_TEST_S3_TLS": f"https://{self.address}"}
        return {"UNUM_TEST_S3" if self.keep_alive else "UNUM_TEST_S3_CLOSING": f"http://{self.address}"}
