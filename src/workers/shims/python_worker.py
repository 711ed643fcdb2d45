"""The worker process for Python functions: reads calls, runs the handler, writes results.

Started by unum, which speaks the frames of src/workers/worker_protocol.hpp on descriptors 3 and 4. With
`--fork-server` it runs no function itself: it forks a worker for each request on its control socket, so
that a worker costs a fork and not the start of an interpreter. Python >= 3.8, standard library only.
"""

import faulthandler
import fcntl
import gc
import importlib
import importlib.util
import json
import os
import signal
import struct
import sys
import time
import traceback

REQUESTS, RESPONSES = 3, 4
HEADER = struct.Struct("<4sB3xI")
CALL_HEAD = struct.Struct("<IIIHHHH")
MAGIC = b"unm1"
LOAD, CALL, STREAMED_CALL = ord("L"), ord("C"), ord("S")
FINAL_DATA = ord("F")
RESULT, ERROR, LAST_ERROR = b"R", b"E", b"X"
READ_BYTES = 65536
CAUSE_CHARACTERS_MAX = 16 * 1024  # a character is at most four bytes: 64 KiB
NESTING_MAX = 1024  # levels of a value
PR_SET_PDEATHSIG = 1
BROKEN = 70  # exit code: the descriptors of the protocol cannot be used

_read, _write, _getpid, _monotonic = os.read, os.write, os.getpid, time.monotonic
_unpack_header, _pack_header = HEADER.unpack_from, HEADER.pack
_unpack_call = CALL_HEAD.unpack_from
_parse = json.loads
_serialize = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_serialize_ascii = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class Context:
    """The second argument of a handler: the fields that it has on AWS Lambda, and unum's."""

    function_version = "$LATEST"
    identity = None
    client_context = None

    def __init__(self, function, session, instance, attempt, traceparent, deadline):
        self.function_name = function.name
        self.memory_limit_in_mb = function.memory_mb
        self.unum_session = session
        self.unum_instance = instance
        self.unum_attempt = attempt
        self.unum_traceparent = traceparent
        self._deadline = deadline

    @property
    def invoked_function_arn(self):
        region = os.environ.get("AWS_REGION", "us-east-1")
        return f"arn:aws:lambda:{region}:000000000000:function:{self.function_name}"

    @property
    def aws_request_id(self):
        """The same for every delivery of one instance, so that it can serve as an idempotency key."""
        import uuid

        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.unum_session}/{self.unum_instance}"))

    @property
    def log_group_name(self):
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self):
        return f"{time.strftime('%Y/%m/%d')}/[$LATEST]{_getpid()}"

    def get_remaining_time_in_millis(self):
        if self._deadline is None:
            return 2**31 - 1
        return max(0, int((self._deadline - _monotonic()) * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class Failure(Exception):
    """A failure with a name of the runtime's, which is not the name of an exception's type."""

    def __init__(self, name, cause, last=False):
        super().__init__(cause)
        self.name = name
        self.last = last


class Function:
    """What the load frame said; the handler is imported at the first call, whose output it then is."""

    def __init__(self, load):
        self.name = load["function"]
        self.handler_name = load["handler"]
        self.directory = load["directory"]
        self.memory_mb = str(load["memory_mb"])
        self.result_bytes_max = load["result_bytes_max"]
        self.handler = None
        environment = load.get("environment")
        if environment:
            os.environ.update(environment)
            time.tzset()
            # What the interpreter itself reads at its start, of which this one can be caught up on.
            extra = environment.get("PYTHONPATH")
            if extra:
                sys.path[1:1] = extra.split(os.pathsep)
        os.chdir(self.directory)
        sys.path[0] = self.directory

    def load_handler(self):
        module_path, dot, name = self.handler_name.rpartition(".")
        if not dot or not module_path or not name:
            raise Failure(
                "Runtime.MalformedHandlerName",
                f"Handler {self.handler_name!r} of {self.name}: it must be MODULE.FUNCTION, for example "
                "app.lambda_handler",
                last=True,
            )
        module_name = module_path.replace("/", ".").lstrip(".")
        self._forget_namesake(module_name)
        try:
            module = importlib.import_module(module_name)
        except SyntaxError as error:
            raise self._import_failure("Runtime.UserCodeSyntaxError", module_path, error) from None
        except BaseException as error:
            raise self._import_failure("Runtime.ImportModuleError", module_path, error) from None
        handler = getattr(module, name, None)
        if not callable(handler):
            what = "has no" if handler is None else "has no callable"
            raise Failure(
                "Runtime.HandlerNotFound",
                f"{module_path}.py of {self.name} {what} {name!r} (Handler: {self.handler_name})",
                last=True,
            )
        self.handler = handler

    def _forget_namesake(self, module_name):
        """A module of the user's may have the name of one that this shim has already imported."""
        loaded = sys.modules.get(module_name)
        if loaded is None:
            return
        path = os.path.join(self.directory, *module_name.split("."))
        if os.path.isfile(path + ".py") or os.path.isdir(path):
            if not (getattr(loaded, "__file__", None) or "").startswith(self.directory + os.sep):
                del sys.modules[module_name]

    def _import_failure(self, name, module_path, error):
        return Failure(
            name,
            f"cannot import {module_path!r} of {self.name} (Handler: {self.handler_name}): "
            + describe(error),
            last=True,
        )


def describe(error):
    """The message and the traceback without this file's and the import machinery's frames."""
    try:
        message = str(error)
    except Exception:
        message = "(its message cannot be shown)"
    trace = error.__traceback__
    while trace is not None and is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, trace))
    except BaseException:
        text = "(its traceback cannot be shown)"
    return f"{message}\n{text}".strip()


def is_machinery(path):
    return path in (__file__, importlib.__file__) or path.startswith("<frozen importlib")


def shorten(text):
    if len(text) <= CAUSE_CHARACTERS_MAX:
        return text
    half = CAUSE_CHARACTERS_MAX // 2 - 32
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def nested(convert, value):
    """Converts from or to JSON. Before Python 3.12 that takes a level of the interpreter's limit of recursion for
    each level of the value, of which there may be more than the limit; it is the user's, and only raised here."""
    try:
        return convert(value)
    except RecursionError:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + NESTING_MAX)
        try:
            return convert(value)
        finally:
            sys.setrecursionlimit(limit)


def serialize(result, function):
    try:
        data = nested(_serialize, result).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        data = nested(_serialize_ascii, result).encode()
    except BaseException as error:
        raise Failure(
            "Runtime.MarshalError",
            f"the result of {function.name} is not JSON: {type(error).__name__}: {error}",
        ) from None
    if len(data) > function.result_bytes_max:
        raise Failure(
            "Unum.ResultTooLarge",
            f"the result of {function.name} has {len(data)} bytes of JSON; the limit is "
            f"{function.result_bytes_max}",
        )
    return data


def run(function, payload, pieces=None):
    """One call; the frame that answers it. `pieces` has the event that is not in the payload."""
    sequence, milliseconds, attempt, n_instance, n_session, n_trace, _ = _unpack_call(payload)
    end_instance = 20 + n_instance
    end_session = end_instance + n_session
    end_trace = end_session + n_trace
    context = Context(
        function,
        str(payload[end_instance:end_session], "utf-8", "replace"),
        str(payload[20:end_instance], "utf-8", "replace"),
        attempt,
        str(payload[end_session:end_trace], "utf-8", "replace"),
        _monotonic() + milliseconds / 1000 if milliseconds else None,
    )
    try:
        if function.handler is None:
            function.load_handler()
        if pieces is not None:
            payload = pieces.append_to(payload, function)
            context._deadline = pieces.deadline
        try:
            event = nested(_parse, str(payload[end_trace:], "utf-8"))
        except BaseException as error:
            raise Failure(
                "Runtime.UnmarshalError",
                f"the event of {function.name} cannot be decoded: {type(error).__name__}: {error}",
            ) from None
        del payload
        result = function.handler(event, context)
        data = serialize(result, function)
        return _pack_header(MAGIC, 82, 4 + len(data)) + sequence.to_bytes(4, "little") + data, False
    except Failure as failure:
        return error_frame(sequence, failure.name, str(failure), failure.last), failure.last
    except SystemExit as error:
        cause = f"the handler of {function.name} called exit ({error.code!r}): {describe(error)}"
        return error_frame(sequence, "Runtime.ExitError", cause, True), True
    except BaseException as error:
        return error_frame(sequence, type(error).__name__, describe(error), False), False


def error_frame(sequence, name, cause, last):
    name_bytes = name.encode("utf-8", "replace")
    body = struct.pack("<II", sequence, len(name_bytes)) + name_bytes
    body += shorten(cause).encode("utf-8", "replace")
    return HEADER.pack(MAGIC, (LAST_ERROR if last else ERROR)[0], len(body)) + body


def write_all(data):
    written = _write(RESPONSES, data)
    if written < len(data):
        view = memoryview(data)
        while written < len(data):
            written += _write(RESPONSES, view[written : written + 1048576])


def flush_output():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # the user's to close or replace
            pass


def read_rest(data, length):
    """The whole of a frame's payload of which `data` is the beginning."""
    whole = bytearray(length)
    whole[: len(data)] = data
    view = memoryview(whole)
    filled = len(data)
    while filled < length:
        count = os.readv(REQUESTS, [view[filled:]])
        if count == 0:
            os._exit(0)
        filled += count
    return whole


class Pieces:
    """The frames of an event that comes in pieces. `data`: read ahead, at first of them, then of what follows."""

    def __init__(self, data):
        self.data = data
        self.deadline = None

    def append_to(self, call, function):
        text = bytearray(call)
        try:
            while True:
                kind, payload = self._read_frame()
                if kind == FINAL_DATA:
                    break
                text += payload
        except MemoryError:
            raise Failure(
                "Runtime.UnmarshalError",
                f"the event of {function.name} does not fit in memory: it has more than {len(text)} bytes",
                last=True,
            ) from None
        milliseconds = int.from_bytes(payload, "little")
        self.deadline = _monotonic() + milliseconds / 1000 if milliseconds else None
        return text

    def _read_frame(self):
        data = self.data
        while len(data) < 12:
            more = _read(REQUESTS, READ_BYTES)
            if not more:
                os._exit(0)
            data += more
        _, kind, length = _unpack_header(data)
        end = 12 + length
        if len(data) >= end:
            payload, self.data = data[12:end], data[end:]
        else:
            payload, self.data = read_rest(data[12:], length), b""
        return kind, payload


def serve():
    function = None
    pid = _getpid()
    data = b""
    while True:
        while len(data) < 12:
            more = _read(REQUESTS, READ_BYTES)
            if not more:
                os._exit(0)
            data += more
        magic, kind, length = _unpack_header(data)
        if magic != MAGIC:
            os._exit(BROKEN)
        end = 12 + length
        if len(data) == end:
            payload, data = data[12:], b""
        elif len(data) > end:
            payload, data = data[12:end], data[end:]
        else:
            payload, data = read_rest(data[12:], length), b""
        if kind in (CALL, STREAMED_CALL):
            pieces = None
            if kind == STREAMED_CALL:
                pieces = Pieces(data)
            answer, last = run(function, payload, pieces)
            if pieces is not None:
                data = pieces.data
            payload = None
            flush_output()
            if _getpid() != pid:
                os._exit(0)  # a child that the handler forked and that came back: not the one to answer
            write_all(answer)
            answer = None
            if last:
                os._exit(0)
        elif kind == LOAD:
            function = load_function(json.loads(payload))


def load_function(load):
    try:
        return Function(load)
    except OSError as error:
        leave(f"cannot enter the directory of {load['function']}: {error}")


def leave(why):
    """Ends a worker that cannot go on; the host shows its last output."""
    try:
        os.write(2, f"unum: the worker cannot go on: {why}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(BROKEN)


def warm_up():
    """Does once what a first call does: a forked process pays for each page that it touches first."""
    importlib.util.find_spec("unum_no_such_module")
    code = compile("def handler(event, context):\n    return event\n", "warm_up", "exec")
    names = {}
    exec(code, names)
    _serialize(names["handler"](_parse('{"a":[1,"b",null]}'), None)).encode()
    flush_output()


def prepare_process():
    # A line is out when it is complete, so that a crash or a time-out shows what was printed before.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.argv = [""]
    faulthandler.enable()


def guarded_serve():
    try:
        serve()
    except OSError as error:
        leave(f"descriptors {REQUESTS} and {RESPONSES} are its own and must stay open: {error}")


class ForkServer:
    """Forks workers. One message a request on the socket at descriptor 3:

    "F" with three descriptors (requests, responses, output): forks; answers "P" and the child's pid.
    "R" and a pid: that child ended; waits for it; answers "S", the pid and the status of waitpid.
    Integers are little-endian i32. An ended child stays a zombie until the host asks, so that its pid is nobody
    else's. The kernel ends this process when the host dies, and the children when this process does.
    """

    def __init__(self):
        import _socket

        self.socket = _socket.socket(fileno=REQUESTS)
        self.space = _socket.CMSG_SPACE(3 * 4)
        self.pid = _getpid()
        # Without ctypes this raises, the process ends, and the host starts each worker by itself.
        import ctypes

        self.prctl = ctypes.CDLL(None).prctl
        # Whatever was inherited or a start-up file of this Python's did: children end by being waited for.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def serve(self):
        gc.collect()
        gc.freeze()
        while True:
            try:
                message, ancillary, _, _ = self.socket.recvmsg(16, self.space)
            except OSError:
                break  # the host is gone
            if message[:1] == b"F":
                self.fork(struct.unpack("<3i", ancillary[0][2]))
            elif message[:1] == b"R":
                self.reap(struct.unpack_from("<i", message, 1)[0])
            else:
                break

    def fork(self, descriptors):
        try:
            pid = os.fork()
        except OSError as error:
            self.socket.send(b"P" + struct.pack("<i", -error.errno))
            pid = -1
        if pid == 0:
            self.become_worker(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        if pid > 0:
            try:
                os.setpgid(pid, pid)  # here too: whoever is first
            except OSError:
                pass
            self.socket.send(b"P" + struct.pack("<i", pid))

    def become_worker(self, descriptors):
        try:
            os.setpgid(0, 0)
            self.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != self.pid:
                os._exit(0)  # it died before this could count
            self.socket.close()

            requests, responses, output = (fcntl.fcntl(d, fcntl.F_DUPFD, 10) for d in descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            os.dup2(requests, REQUESTS, False)
            os.dup2(responses, RESPONSES, False)
            os.dup2(output, 1)
            os.dup2(output, 2)
            for descriptor in (requests, responses, output):
                os.close(descriptor)
            warm_up()
            guarded_serve()
        finally:
            os._exit(BROKEN)

    def reap(self, pid):
        try:
            status = os.waitpid(pid, 0)[1]
        except ChildProcessError:
            status = -1  # somebody else has waited for it
        self.socket.send(b"S" + struct.pack("<ii", pid, status))


def main():
    is_fork_server = sys.argv[1:] == ["--fork-server"]
    prepare_process()
    if is_fork_server:
        ForkServer().serve()
    else:
        for descriptor in (REQUESTS, RESPONSES):
            os.set_inheritable(descriptor, False)
        guarded_serve()


if __name__ == "__main__":
    main()
