"""What botocore makes of environment and shared files; run by the Python that has it.

Lines as support/aws_settings_probe.cpp reads and writes them. Roles are not asked of a service: the key of a role is
made from what it is asked for with (`role_key`), as the service of apps/aws_settings_test.py does.
"""

import calendar
import datetime
import hashlib
import json
import os
import sys

FAR = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)


def role_key(arn, session_name, external_id, duration, caller):
    if session_name.startswith(("botocore-session-", "unum-")):
        session_name = ""  # each has its own way to make one
    asked = "|".join((arn, session_name, external_id or "", str(duration or ""), caller))
    return "ROLE" + hashlib.sha256(asked.encode()).hexdigest()[:16]


class Tokens:
    """In the place of a client of STS."""

    def __init__(self, access_key):
        self.access_key = access_key

    def assume_role(self, RoleArn, RoleSessionName, ExternalId=None, DurationSeconds=None):
        return self.answer(role_key(RoleArn, RoleSessionName, ExternalId, DurationSeconds, self.access_key))

    def assume_role_with_web_identity(self, RoleArn, RoleSessionName, WebIdentityToken):
        return self.answer(role_key(RoleArn, RoleSessionName, None, None, WebIdentityToken.strip()))

    @staticmethod
    def answer(key):
        return {"Credentials": {"AccessKeyId": key, "SecretAccessKey": "of-role", "SessionToken": "token-of-role",
                                "Expiration": FAR},
                "AssumedRoleUser": {"Arn": "arn:aws:sts::1:assumed-role/r/s", "AssumedRoleId": "r:s"}}


def answer(ask):
    try:
        return {"value": ask()}
    except Exception as error:  # pylint: disable=broad-except
        why = getattr(error, "kwargs", {}).get("error")  # of a file that cannot be parsed
        return {"error": f"{type(error).__name__}: {error}" + (f": {type(why).__name__}: {why}" if why else "")}


def credentials(session):
    found = session.get_credentials()
    if found is None:
        raise LookupError("no credentials")
    frozen = found.get_frozen_credentials()
    expiry = getattr(found, "_expiry_time", None)
    ends = calendar.timegm(expiry.utctimetuple()) if expiry else None
    return [frozen.access_key, frozen.secret_key, frozen.token or "", ends]


def endpoint(session, service, provider):
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    return provider(session.full_config, session.get_scoped_config(), service).provide()


def main():
    import botocore.configprovider
    import botocore.session
    botocore.session.Session.create_client = (
        lambda self, service, aws_access_key_id="", **options: Tokens(aws_access_key_id))
    provider = botocore.configprovider.ConfiguredEndpointProvider
    for line in sys.stdin:
        for name in [name for name in os.environ if name.startswith("AWS_") or name == "HOME"]:
            del os.environ[name]
        os.environ.update(json.loads(line))
        session = botocore.session.Session(include_builtin_handlers=False)  # they take most of the time
        # Asked for a second time a session forgets that a file could not be parsed.
        files = answer(lambda: session.full_config and None)
        print(json.dumps({name: files if "error" in files else answer(ask) for name, ask in {
            "credentials": lambda: credentials(session),
            "region": lambda: session.get_config_variable("region") or "",
            "s3": lambda: endpoint(session, "s3", provider),
            "dynamodb": lambda: endpoint(session, "dynamodb", provider),
            "attempts": lambda: session.get_config_variable("max_attempts") or 3}.items()}))


if __name__ == "__main__":
    main()
