"""`unum build --platform aws`: the template is one that CloudFormation takes, and the folders are what it names.

cfn-lint looks at the template as SAM translates it: in SAM's own form the circles between functions are not to be seen.
"""

import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["UNUM_SOURCE_ROOT"], "tests"))

# pylint: disable=wrong-import-position
from harness import DONE, SOURCE, USAGE, AppTest, Function, each, fan_in, lines, read_json, scalar
from servers import install, versions

SLEEPY = {"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 500, "MaxAttempts": 2, "BackoffRate": 2}]}
# Translates as `sam deploy` does, writes the outcome beside it, and prints what the linter finds there.
LINT = """
import json, sys
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from cfnlint.api import lint, ManualArgs
from cfnlint.decode import cfn_yaml

class Policies:
    def load(self):
        name = "service-role/AWSLambdaBasicExecutionRole"
        return {"AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/" + name}

class Session:
    region_name = "us-east-1"

def look_at(source):
    template = json.loads(json.dumps(cfn_yaml.load(source)))
    for resource in template["Resources"].values():
        place = resource["Properties"]
        for key in ("CodeUri", "ContentUri"):
            if key in place:
                place[key] = {"Bucket": "code", "Key": "x.zip"}
    translated = Translator(Policies().load(), Parser(), boto_session=Session()).translate(template, {})
    found = lint(json.dumps(translated, indent=1), config=ManualArgs(regions=["us-east-1"]))
    findings = [f"{match.rule.id} {match.message}" for match in found]
    return findings, [resource["Type"] for resource in translated["Resources"].values()]

print(json.dumps([look_at(source) for source in sys.argv[1:]]))
"""


class BuildForAws(AppTest):
    def app(self, name="app", runtime="python3.12", **settings):
        settings.setdefault("UnumIntermediaryDataStoreType", "dynamodb")
        settings.setdefault("UnumIntermediaryDataStoreName", "orders")
        functions = {"Split": Function(next=each("Count"), runtime=runtime),
                     "Count": Function(next=fan_in("Sum", ["Count-unumIndex-*"]), runtime=runtime),
                     "Sum": Function(runtime=runtime)}
        return self.application(functions, name, **settings)

    def build(self, application, *options, out="out"):
        self.unum("build", application, "--platform", "aws", "--out", self.path(out), *options, code=DONE)
        return self.path(out)

    def lint(self, *templates):
        """Of each, what the linter finds, and the types of the resources. One process: it reads much to begin with."""
        python = install.python_module("cfn-lint", versions.CFN_LINT, "cfn-lint",
                                       [f"aws-sam-translator=={versions.SAM_TRANSLATOR}"])
        done = subprocess.run([python, "-c", LINT, *templates], check=False, capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr[-3000:])
        return json.loads(done.stdout)

    def test_the_translated_template_is_clean_whatever_the_store(self):
        stores = [("dynamodb", "orders", "AWS::DynamoDB::Table"), ("redis", "10.0.0.5:6379", "AWS::SQS::Queue"),
                  ("s3", "my-bucket/some/prefix", "AWS::S3::Bucket")]
        templates = [os.path.join(self.build(self.app(store, UnumIntermediaryDataStoreType=store,
                                                      UnumIntermediaryDataStoreName=name), out="out-" + store),
                                  "template.yaml") for store, name, _ in stores]
        for (store, _, made), (findings, kinds) in zip(stores, self.lint(*templates)):
            with self.subTest(store=store):
                self.assertEqual([], findings)
                self.assertEqual(3, kinds.count("AWS::Lambda::Function"))
                self.assertEqual(3, kinds.count("AWS::Lambda::EventInvokeConfig"))
                self.assertIn(made, kinds)

    def test_the_three_circles_are_found_in_templates_that_have_them(self):
        """Of the test itself: what must not happen is seen where it does."""
        out = self.build(self.app())
        with open(os.path.join(out, "template.yaml"), encoding="utf-8") as file:
            text = file.read()
        wide = "function:${AWS::StackName}-*"
        self.assertIn(wide, text)

        def policies_name_each_other(function, target):
            start = text_of[0].index(f"  {function}Function:")
            head, tail = text_of[0][:start], text_of[0][start:]
            text_of[0] = head + re.sub(r'!Sub "arn:[^"]*function:\$\{AWS::StackName\}-\*"', target, tail, count=1)

        def variable(function, target):
            start = text_of[0].index(f"  {function}Function:")
            head, tail = text_of[0][:start], text_of[0][start:]
            text_of[0] = head + tail.replace("Variables:\n", f"Variables:\n          OTHER: {target}\n", 1)

        circles = {
            "policies": [(policies_name_each_other, "Split", "!GetAtt CountFunction.Arn"),
                         (policies_name_each_other, "Count", "!GetAtt SplitFunction.Arn")],
            "variables": [(variable, "Split", "!Ref CountFunction"), (variable, "Count", "!Ref SplitFunction")],
            "own": [(policies_name_each_other, "Split", "!GetAtt SplitFunction.Arn")]}
        paths = []
        for name, changes in circles.items():
            text_of = [text]
            for change, function, target in changes:
                change(function, target)
            self.assertNotEqual(text, text_of[0])
            paths.append(self.path(f"{name}.yaml"))
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.write(text_of[0])
        for name, (findings, _) in zip(circles, self.lint(*paths)):
            with self.subTest(circle=name):
                self.assertTrue(any(finding.startswith("E3004") for finding in findings), findings)

    def test_permissions_are_those_that_the_pages_of_the_stores_name(self):
        for store, name in (("dynamodb", "orders"), ("s3", "my-bucket/some/prefix")):
            out = self.build(self.app(store, UnumIntermediaryDataStoreType=store, UnumIntermediaryDataStoreName=name),
                             out="out-" + store)
            with open(os.path.join(SOURCE, "docs", "stores", store + ".md"), encoding="utf-8") as file:
                page = file.read()
            policy = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
            named = set()
            for statement in policy["Statement"]:
                actions = statement["Action"]
                named |= {actions} if isinstance(actions, str) else set(actions)
            if store == "dynamodb":
                row = re.search(r"\| values above 400 KB[^|]*\|([^|]*)\|", page)[1]
                named |= set(re.findall(r"dynamodb:\w+", row))
            given = set(re.findall(rf"- ({store}:\w+)", "\n".join(lines(os.path.join(out, "template.yaml")))))
            self.assertEqual(named, given)

    def test_folders_hold_what_each_function_needs(self):
        out = self.build(self.app())
        for function in ("Split", "Count", "Sum"):
            folder = os.path.join(out, "functions", function)
            self.assertEqual(["app.py", "unum-linked", "unum_config.json"], sorted(os.listdir(folder)))
            self.assertEqual([function, "application.json"], sorted(os.listdir(os.path.join(folder, "unum-linked"))))
        self.assertTrue(os.access(os.path.join(out, "layer", "bootstrap"), os.X_OK))
        self.assertTrue(os.access(os.path.join(out, "layer", "unum-wrapper"), os.X_OK))
        self.build(self.app("again"))  # replaces the first

    def test_what_lambda_does_not_have_is_refused(self):
        def refuse(says, application, *options):
            self.refused(USAGE, "build", application, "--platform", "aws", "--out", self.path("refused"), *options,
                         says=says)

        refuse("data store must be one that all functions reach", self.app("fs", UnumIntermediaryDataStoreType="fs"))
        refuse("at most 64 are allowed", self.app("long"), "--stack", "s" * 60)
        refuse("begin with a letter", self.app("stack"), "--stack", "1st")
        store = {"UnumIntermediaryDataStoreType": "dynamodb", "UnumIntermediaryDataStoreName": "orders"}
        refuse("more than the 900 s", self.application({"F": Function(ir=SLEEPY)}, "sleepy", **store))
        refuse("one name in CloudFormation", self.application(
            {"Ab": Function(next=scalar("A-b")), "A-b": Function()}, "same", **store))
        os.mkdir(self.path("other"))
        with open(self.path("other", "file"), "w", encoding="utf-8"):
            pass
        self.refused(USAGE, "build", self.app("other-app"), "--platform", "aws", "--out", self.path("other"),
                     says="not empty")


if __name__ == "__main__":
    unittest.main()
