"""Adds up one partition. Every word is in one partition only, so the sums are final."""
from collections import Counter


def lambda_handler(event, context):
    sums = Counter()
    for counts in event["counts"]:
        sums.update(counts)
    ranking = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return {
        "top": event["top"],
        "words": sum(sums.values()),
        "distinct": len(sums),
        "ranking": ranking[: event["top"]],
    }
