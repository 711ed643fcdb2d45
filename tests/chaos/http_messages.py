"""As much of HTTP/1.1 as the gate needs: where a message ends, and answers as the services give them."""

import asyncio
import json

HEAD_MAX = 64 << 10
BODY_MAX = 256 << 20


class Message:
    """A head with its last empty line, and a body as it stands on the wire, chunked or not."""

    def __init__(self, head, body=b""):
        self.head = head
        self.body = body

    def field(self, name):
        prefix = name.lower().encode() + b":"
        for line in self.head.split(b"\r\n")[1:]:
            if line.lower().startswith(prefix):
                return line[len(prefix):].strip().decode("latin-1")
        return ""

    def without_field(self, name):
        prefix = name.lower().encode() + b":"
        lines = self.head.split(b"\r\n")
        return b"\r\n".join(line for line in lines if not line.lower().startswith(prefix))

    @property
    def method(self):
        return self.head.split(b" ", 1)[0].decode("latin-1")

    @property
    def status(self):
        return int(self.head.split(b" ", 2)[1])

    def ends_connection(self):
        return self.field("Connection").lower() == "close" or b"HTTP/1.0" in self.head.split(b"\r\n", 1)[0]


async def read_head(reader):
    """The next head, or nothing at the end of the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def read_request(reader, writer):
    """The next request, or nothing. A client that asks whether to go on is told so here."""
    head = await read_head(reader)
    if not head:
        return None
    request = Message(head)
    if request.field("Expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.head = request.without_field("Expect")
    request.body = await read_body(reader, request, until_end=False)
    return request


async def read_response(reader, method):
    head = await read_head(reader)
    if not head:
        return None
    response = Message(head)
    if response.status // 100 == 1:
        return await read_response(reader, method)
    if method != "HEAD" and response.status not in (204, 304):
        response.body = await read_body(reader, response, until_end=True)
    return response


async def read_body(reader, message, until_end):
    if "chunked" in message.field("Transfer-Encoding").lower():
        return await read_chunks(reader)
    length = message.field("Content-Length")
    if length:
        if int(length) > BODY_MAX:
            raise ValueError(f"a body of {length} bytes is beyond the gate's {BODY_MAX}")
        return await reader.readexactly(int(length))
    return await reader.read(BODY_MAX) if until_end else b""


async def read_chunks(reader):
    """A chunked body with its framing, trailers included."""
    pieces = []
    size = -1
    while size != 0:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        pieces.append(line)
        if size:
            pieces.append(await reader.readexactly(size + 2))
    while pieces[-1] != b"\r\n":
        pieces.append(await reader.readuntil(b"\r\n"))
    return b"".join(pieces)


def with_length(response, difference):
    """The head with a Content-Length that is off."""
    length = int(response.field("Content-Length") or len(response.body)) + difference
    head = response.without_field("Content-Length")
    return head[:-2] + b"Content-Length: %d\r\n\r\n" % max(0, length)


def error_answer(request, status, code, retry_after):
    """What the service that the request is meant for would say."""
    code = code or {429: "TooManyRequests", 500: "InternalError", 503: "SlowDown"}.get(status, "Error")
    if request.field("X-Amz-Target"):
        kind = "application/x-amz-json-1.0"
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "said by the gate"})
    else:
        kind = "application/xml"
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
                "<Message>said by the gate</Message><RequestId>gate</RequestId></Error>")
    body = b"" if request.method == "HEAD" else body.encode()
    after = f"Retry-After: {retry_after}\r\n" if retry_after else ""
    head = (f"HTTP/1.1 {status} Gate\r\nContent-Type: {kind}\r\nx-amz-request-id: gate\r\n{after}"
            f"Content-Length: {len(body)}\r\n\r\n")
    return Message(head.encode(), body)
