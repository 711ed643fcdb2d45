#!/usr/bin/env python3
"""Writes this application: the template and a directory a function, each with its code and IR.

    make_chain.py [--length N] [DIRECTORY]

The 100 directories beside this script are what it writes by default. The code differs from step
to step by one number, so that a step left out, run twice or run out of order shows in the result.
"""
import argparse
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent

CODE = '''"""Step {number} of the chain."""


def lambda_handler(event, context):
    return (event * 31 + {number}) % 1000003
'''

HEAD = """# A chain of {length} functions; written by make_chain.py.
Globals:
  ApplicationName: chain-{length}
  FaaSPlatform: local

Functions:
"""

FUNCTION = """  {name}:
    Properties:
      CodeUri: {folder}/
      Runtime: python3.11
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--length", type=int, default=100)
    parser.add_argument("directory", nargs="?", type=pathlib.Path, default=HERE)
    options = parser.parse_args()
    template = HEAD.format(length=options.length)
    width = len(str(options.length - 1))
    for number in range(options.length):
        folder = f"steps/{number:0{width}}"
        step = {"Name": f"Step{number:0{width}}"}
        if number == 0:
            step["Start"] = True
        if number + 1 < options.length:
            step["Next"] = {"Name": f"Step{number + 1:0{width}}", "InputType": "Scalar"}
        template += FUNCTION.format(name=step["Name"], folder=folder)
        place = options.directory / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / "unum_config.json").write_text(json.dumps(step) + "\n")
        (place / "app.py").write_text(CODE.format(number=number))
    (options.directory / "unum-template.yaml").write_text(template)


if __name__ == "__main__":
    main()
