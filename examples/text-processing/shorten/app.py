"""Branch 1, second of two: what a reader needs to see of a link, its host and its last part."""
from urllib.parse import urlsplit


def lambda_handler(event, context):
    return [shorten(link) for link in event]


def shorten(link):
    parts = urlsplit(link)
    host = parts.netloc[4:] if parts.netloc.startswith("www.") else parts.netloc
    path = [part for part in parts.path.split("/") if part]
    if not path:
        return host
    return host + ("/.../" if len(path) > 1 else "/") + path[-1]
