"""Turns a list of chunks, each in partitions, into a list of partitions, each over all chunks."""


def lambda_handler(event, context):
    if not event:
        return []
    by_partition = zip(*(chunk["parts"] for chunk in event))
    return [
        {"top": event[0]["top"], "counts": [counts for counts in partition if counts]}
        for partition in by_partition
    ]
