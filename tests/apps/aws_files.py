"""Shared files and environments as people write them, and as they get them wrong: one `Case` a seed."""

import json
import os
import random

PROFILES = ["default", "work", "Prod", "my profile", "größe", "a.b-c/d", "x#y", "it_1"]
COMMENTS = ["# a comment", "; a comment", "#", ";aws_secret_access_key = commented-out", "# [profile work]", "# ümlaut"]
EXPIRATIONS = ["{}-02-03T12:00:00Z", "{}-02-03T12:00:00.25Z", "{}-02-03T12:00:00UTC", "{}-02-03T12:00:00+0000",
               "{}-02-03T12:00:00+01:30", "{}-02-03T12:00:00-05", "{}-02-03 12:00:00Z", "{}-02-03 12:00:00 UTC",
               "{}-02-03 12:00:00+00:00", "{}0203T120000Z", "{}0203T1200Z", "{}-02-03T12:00Z", "{}-02-03t12:00:00z",
               "Tue, 03 Feb {} 12:00:00 GMT", "{}-02-03T12:00:00", "{}-13-03T12:00:00Z", "soon", ""]
SCRIPT = "#!/bin/sh\ncat \"$1\"\nexit ${2:-0}\n"


class Case:
    def __init__(self, seed, home, tokens):
        self.random = random.Random(seed)
        self.seed = seed
        self.home = home
        self.environment = {"HOME": home, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": tokens}
        self.files = {}
        self.asks_tokens = False
        self.has_twice = False  # a section
        self.profile = self.random.choice(PROFILES)
        self.config = {}  # profile: properties
        self.credentials = {}
        self.fill()
        self.files[".aws/config"] = self.write_file(self.config, is_config=True)
        self.files[".aws/credentials"] = self.write_file(self.credentials, is_config=False)
        self.fill_environment()

    # --- What is said

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def pick(self, *choices):
        return self.random.choice(choices)

    def keys(self, half=False):
        number = self.random.randrange(10_000)
        secret = "".join(self.random.choices("abcXYZ019/+", k=16)) + self.pick("", "=", "#x")
        keys = {"aws_access_key_id": f"AKID{number}", "aws_secret_access_key": secret}
        if self.chance(30):
            keys[self.pick("aws_session_token", "aws_session_token", "aws_security_token")] = f"token{number}=="
        if half:
            del keys[self.pick("aws_access_key_id", "aws_secret_access_key")]
        return keys

    def into(self, where, profile, properties):
        where.setdefault(profile, {}).update(properties)

    def fill(self):
        kinds = ["config keys", "credentials keys", "both", "process", "role", "web identity", "sso", "login", "half",
                 "nothing", "two halves"]
        for kind in self.random.sample(kinds, self.pick(1, 1, 1, 2)):
            self.give(kind, self.profile, depth=0)
        for other in self.random.sample(PROFILES, self.pick(0, 1, 2)):
            if other != self.profile:
                self.into(self.pick(self.config, self.credentials), other, self.keys())
        where = self.config if self.chance(90) else self.credentials
        if self.chance(60):
            self.into(where, self.profile, {"region": self.pick("eu-west-1", "us-east-2", "cn-north-1")})
        if self.chance(15):
            self.into(where, self.profile, {"endpoint_url": self.pick("http://127.0.0.1:1", "https://h/path")})
        if self.chance(15):
            self.into(where, self.profile, {"services": self.pick("local", "my services", "absent")})
        if self.chance(15):
            self.into(where, self.profile, {"max_attempts": self.pick("1", "5", "many", "7 ")})
        if self.chance(10):
            self.into(where, self.profile, {"output": "json", "s3": "\n  max_concurrent_requests = 20\n  x ="})

    def give(self, kind, profile, depth):
        config = self.config if self.chance(85) else self.credentials
        if kind == "config keys":
            self.into(self.config, profile, self.keys())
        elif kind == "credentials keys":
            self.into(self.credentials, profile, self.keys())
        elif kind == "both":
            self.into(self.config, profile, self.keys())
            self.into(self.credentials, profile, self.keys())
        elif kind == "half":
            self.into(self.pick(self.config, self.credentials), profile, self.keys(half=True))
        elif kind == "two halves":
            whole = self.keys()
            self.into(self.config, profile, {"aws_access_key_id": whole.pop("aws_access_key_id")})
            self.into(self.credentials, profile, whole)
        elif kind == "process":
            self.into(config, profile, {"credential_process": self.process()})
        elif kind == "sso":
            self.into(config, profile, {"sso_start_url": "https://x", "sso_region": "eu-west-1",
                                        "sso_account_id": "1", "sso_role_name": "r"})
        elif kind == "login":
            self.into(config, profile, {"login_session": "arn:aws:iam::1:user/u"})
        elif kind == "web identity":
            self.asks_tokens = True
            self.files["token"] = b"identity-token\n"
            self.into(config, profile, {"role_arn": "arn:aws:iam::1:role/web",
                                        "web_identity_token_file": os.path.join(self.home, "token")})
        elif kind == "role":
            self.role(config, profile, depth)

    def role(self, config, profile, depth):
        self.asks_tokens = True
        role = {"role_arn": f"arn:aws:iam::{depth}:role/r+{depth}"}
        if self.chance(20):
            role["external_id"] = "e/1 2"
        if self.chance(20):
            role["duration_seconds"] = self.pick("900", "3600", "1h")
        if self.chance(20):
            role["role_session_name"] = "me"
        if self.chance(10):
            role["credential_source"] = self.pick("Environment", "Heaven")
        if "credential_source" not in role or self.chance(10):
            source = self.pick(*PROFILES, "absent", profile)
            role["source_profile"] = source
            if source != "absent" and depth < 3:
                self.give(self.pick("config keys", "credentials keys", "process", "role", "half", "nothing"), source,
                          depth + 1)
        self.into(config, profile, role)

    def process(self):
        answer = {"Version": 1, "AccessKeyId": "of-process", "SecretAccessKey": "secret/of+process"}
        if self.chance(50):
            answer["SessionToken"] = "token"
        if self.chance(60):
            answer["Expiration"] = self.pick(*EXPIRATIONS).format(self.pick("2099", "2099", "2099", "2020", "9999"))
        if self.chance(10):
            answer.pop(self.pick("AccessKeyId", "SecretAccessKey", "Version"))
        if self.chance(3):
            answer["Version"] = self.pick(2, "1")
        name = f"answer {len(self.files)}.json"
        self.files[name] = json.dumps(answer).encode() if self.chance(97) else b"no JSON"
        path = os.path.join(self.home, name)
        file = self.pick(f'"{path}"', f"'{path}'", path.replace(" ", "\\ "))
        program = os.path.join(os.path.dirname(self.home), "give")
        return program + self.pick(" ", "  ", "\n   ") + file + self.pick("", "", "", " 1", ' "unfinished')

    def fill_environment(self):
        variables = self.environment
        if self.profile != "default" or self.chance(15):
            variables[self.pick("AWS_PROFILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")] = (
                self.profile if self.chance(97) else "nobody")
        if self.chance(15):
            behind = self.pick("", "", "", "", "\n", " ", "\r\n")
            for name, value in self.keys(half=self.chance(25)).items():
                variables[name.upper()] = value + behind
        if self.chance(20):
            variables["AWS_DEFAULT_REGION"] = "ap-south-1"
        if self.chance(15):
            variables["AWS_REGION"] = "sa-east-1"
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"):
            if self.chance(6):
                variables[name] = f"http://127.0.0.1:9/{name.lower()}"
        if self.chance(6) and not self.asks_tokens:
            variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = self.pick("true", "TRUE", "false")
        if self.chance(6):
            variables["AWS_MAX_ATTEMPTS"] = self.pick("2", "9", "x")
        for name, usual in (("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")):
            if self.chance(6):
                self.files["moved " + name] = self.files.pop(usual)
                variables[name] = self.pick("~/", "$HOME/", "${HOME}/", self.home + "/") + "moved " + name

    # --- How it is written

    def write_file(self, profiles, is_config):
        lines = []
        sections = [(name, dict(properties)) for name, properties in profiles.items()]
        self.random.shuffle(sections)
        if sections and self.chance(3):
            self.has_twice = True
            sections.append((sections[0][0], {"output": "text"}))
        if self.chance(1):
            lines.append("region = before-any-section")
        for name, properties in sections:
            prefixed = is_config and name == "default" and self.chance(15)
            if prefixed:
                self.write_section(lines, "[profile default]", {"region": "mx-central-1"})
            self.write_section(lines, self.head(name, is_config), properties)
        if is_config and self.chance(60):
            self.write_section(lines, self.pick('[services local]', '[services "my services"]'),
                               {"s3": "\n  endpoint_url = http://127.0.0.1:2/s\n  other = 1",
                                "dynamodb": self.pick("\n  endpoint_url=http://127.0.0.1:3", "plain")})
        end = self.pick("\n", "\n", "\n", "\n", "\n", "\n", "\n", "\r\n", "\r\n", "\r") if self.chance(30) else "\n"
        text = end.join(line.replace("\n", end) for line in lines) + (end if self.chance(80) else "")
        data = text.encode()
        if self.chance(2):
            data = b"\xef\xbb\xbf" + data
        if self.chance(2):
            data += b"\n# caf\xe9\n"
        return data

    def head(self, name, is_config):
        if is_config and name != "default":
            quotes = [q + name + q for q in "'\""]
            plain = [name] * (1 if " " in name else 6)
            name = "profile" + self.pick(" ", " ", " ", "\t", "  ") + self.pick(*quotes, *plain)
        head = "[" + name + (" " if self.chance(2) else "") + "]"
        if self.chance(2):
            head = "[ " + head[1:]
        if self.chance(5):
            head += self.pick(" # comment", "; comment", "# see ]", "  ")
        if self.chance(1):
            head = self.pick(head + " behind", head[:-1], "[]")
        return head

    def write_section(self, lines, head, properties):
        indent = self.pick("  ", "\t", " ") if self.chance(20) else ""
        lines.append((indent if self.chance(10) else "") + head)
        written = list(properties.items())
        self.random.shuffle(written)
        for name, value in written:
            self.write_noise(lines)
            if self.chance(4):
                name = self.pick(name.upper(), name.capitalize())
            behind = self.pick(" ", "\t", " # comment", " ; comment", " #", "\n  # comment", "\n\t; comment",
                               "\n\n   # comment")
            delimiter = self.pick("=", " = ", " = ", "\t=  ", ": ", " : ") if self.chance(30) else " = "
            line = indent + name + delimiter + (value.replace("\n", "\n" + indent) if indent else value)
            lines.append(line + (behind if self.chance(12) else ""))
            if self.chance(1):
                lines.append(indent + "   goes on here")
            if self.chance(1):
                lines.append(f"{indent}{name} = {value}")

    def write_noise(self, lines):
        if self.chance(10):
            lines.append(self.pick("", "  ", "\t"))
        if self.chance(12):
            lines.append(self.pick("", "", "  ", "\t", "        ") + self.pick(*COMMENTS))
        if self.chance(4):
            lines.append(self.pick("cli_pager =", "with blank = x", "ünknown = 1", "x_y = a\n    b\n\n    c"))
        if self.chance(0.5):
            lines.append(self.pick("no delimiter", "= no name"))

    # --- On the disk

    def write(self):
        for name, data in self.files.items():
            path = os.path.join(self.home, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)

    def __str__(self):
        texts = [f"seed {self.seed}", json.dumps(self.environment, indent=1)]
        texts += [f"--- {name}\n{data.decode(errors='backslashreplace')}" for name, data in self.files.items()]
        return "\n".join(texts)


def write_program(folder):
    """What credential_process runs: prints a file and ends as it is told."""
    path = os.path.join(folder, "give")
    with open(path, "w", encoding="utf-8") as file:
        file.write(SCRIPT)
    os.chmod(path, 0o755)
