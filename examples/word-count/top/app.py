"""Merges the best words of every partition: by count, then by name, as `sort -k1,1nr -k2`."""


def lambda_handler(event, context):
    ranking = [tuple(entry) for part in event for entry in part["ranking"]]
    ranking.sort(key=lambda item: (-item[1], item[0]))
    top = event[0]["top"] if event else 0
    return {
        "words": sum(part["words"] for part in event),
        "distinct": sum(part["distinct"] for part in event),
        "top": ranking[:top],
    }
