"""Where credentials come from: moto for the security token service, and the metadata service of EC2."""

import json
import os

from servers import install, versions
from servers.process import LOOPBACK, Server, answers_http

EXPIRES = "2099-01-01T00:00:00Z"


class TokenService(Server):
    name = "moto (STS)"

    def __init__(self, directory):
        super().__init__(directory)
        self.python = ""

    def install(self):
        self.python = install.python_module("moto[server]", versions.MOTO, "moto")

    def command(self):
        return [self.python, "-m", "moto.server", "-H", LOOPBACK, "-p", str(self.port)]

    def is_ready(self):
        return answers_http(self.port)

    def variables(self):
        return {"UNUM_TEST_STS": f"http://{self.address}"}


class InstanceMetadata(Server):
    """Version 2 of the service only: without a token it says 401."""

    name = "amazon-ec2-metadata-mock"

    def __init__(self, directory):
        super().__init__(directory)
        self.program = ""

    def install(self):
        self.program = install.go_program("github.com/aws/amazon-ec2-metadata-mock/cmd/ec2-metadata-mock",
                                          versions.EC2_METADATA_MOCK, "ec2-metadata-mock")

    def command(self):
        # What it would hand out by itself expired in 2020.
        settings = os.path.join(self.directory, "settings.json")
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"metadata": {"values": {"iam-security-credentials": {
                "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC",
                "AccessKeyId": "unum-test", "SecretAccessKey": "unum-test-secret",
                "Token": "unum-test-token", "Expiration": EXPIRES}}}}, file)
        return [self.program, "--hostname", LOOPBACK, "--port", str(self.port), "--imdsv2", "--config-file", settings]

    def is_ready(self):
        return answers_http(self.port)

    def variables(self):
        return {"UNUM_TEST_IMDS": f"http://{self.address}"}
