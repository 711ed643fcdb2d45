"""Branch 2, first of three: the text as a list of sentences."""
import re


def lambda_handler(event, context):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", event["text"]) if sentence]
