"""Branch 0, one function long: who is mentioned, in the order of the first mention."""
import re


def lambda_handler(event, context):
    names = re.findall(r"(?<!\S)@([A-Za-z0-9_]+)", event["text"])
    return list(dict.fromkeys(names))
