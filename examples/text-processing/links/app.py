"""Branch 1, first of two: the links of the text, without the full stop that ends a sentence."""
import re


def lambda_handler(event, context):
    return [link.rstrip(".,!?") for link in re.findall(r"https?://\S+", event["text"])]
