"""Cuts the text into chunks of nearly equal size. A chunk is a list of places, not text."""
import os

APPLICATION = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def lambda_handler(event, context):
    # A relative file name is relative to the application, an absolute one stands as it is.
    files = [os.path.join(APPLICATION, name) for name in event["files"]]
    sizes = [os.path.getsize(name) for name in files]
    total = sum(sizes)
    chunks = max(1, event.get("chunks", 1000))
    settings = {"top": event.get("top", 20), "partitions": event.get("partitions", 16)}
    bounds = [total * k // chunks for k in range(chunks + 1)]
    return [
        {"pieces": pieces(files, sizes, first, last), **settings}
        for first, last in zip(bounds, bounds[1:])
        if first < last
    ]


def pieces(files, sizes, first, last):
    """The byte range [first, last) of all files end to end, as [file, offset, length]."""
    found = []
    start = 0
    for name, size in zip(files, sizes):
        begin, end = max(first, start), min(last, start + size)
        if begin < end:
            found.append([name, begin - start, end - begin])
        start += size
    return found
