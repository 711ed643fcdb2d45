"""A certificate authority of the tests' own, and the certificate of their servers."""

import os

from servers import install

# 127.0.0.2 is left out: a server that listens there as well shows a certificate for a wrong name.
NAMES = "DNS:localhost,IP:127.0.0.1"
DAYS = "7"


class Certificates:
    """Made anew for each run, in about 50 ms; nothing secret is kept."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = os.path.join(directory, "ca.pem")
        self.certificate = os.path.join(directory, "server.pem")
        self.key = os.path.join(directory, "server.key")

    def make(self, names=NAMES):
        os.makedirs(self.directory, exist_ok=True)
        authority_key = os.path.join(self.directory, "ca.key")
        self.request("/CN=unum tests", self.authority, authority_key,
                     "-addext", "basicConstraints=critical,CA:TRUE",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.request("/CN=localhost", self.certificate, self.key,
                     "-CA", self.authority, "-CAkey", authority_key,
                     "-addext", "basicConstraints=critical,CA:FALSE",
                     "-addext", f"subjectAltName={names}")
        os.unlink(authority_key)

    @staticmethod
    def request(subject, certificate, key, *options):
        install.run(install.required("openssl", "openssl"), "req", "-x509", "-nodes", "-days", DAYS,
                    "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", subject,
                    "-out", certificate, "-keyout", key, *options)
