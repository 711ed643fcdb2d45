"""The SDK for Python (boto3) as a peer of the benchmarks: N objects or keys, 64 threads."""

import concurrent.futures
import json
import resource
import sys
import time

import boto3
import botocore.config

OPERATION, CONTAINER, PREFIX, COUNT, IN_FLIGHT, ROUNDS = sys.argv[1:7]
COUNT, IN_FLIGHT, ROUNDS = int(COUNT), int(IN_FLIGHT), int(ROUNDS)
CONFIG = botocore.config.Config(
    max_pool_connections=IN_FLIGHT, s3={"addressing_style": "path"})
KEYS = [f"{PREFIX}/F-unumIndex-{i}-output" for i in range(COUNT)]


def s3_work():
    client = boto3.client("s3", config=CONFIG)
    if OPERATION == "s3-head":
        return [lambda key=key: client.head_object(Bucket=CONTAINER, Key=key + ".json")
                for key in KEYS]
    return [lambda key=key: client.get_object(Bucket=CONTAINER, Key=key + ".json")["Body"].read()
            for key in KEYS]


def dynamodb_work():
    client = boto3.client("dynamodb", config=CONFIG)

    def batch(keys):
        asked = {CONTAINER: {"Keys": [{"Name": {"S": key}} for key in keys],
                             "ConsistentRead": True}}
        answer = client.batch_get_item(RequestItems=asked)
        assert len(answer["Responses"][CONTAINER]) == len(keys), "a value is missing"

    return [lambda keys=KEYS[i:i + 100]: batch(keys) for i in range(0, COUNT, 100)]


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    work = dynamodb_work() if OPERATION == "dynamodb-batch" else s3_work()
    with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
        def once():
            for future in [pool.submit(item) for item in work]:
                future.result()

        once()
        cpu, wall = cpu_seconds(), time.monotonic()
        for _ in range(ROUNDS):
            once()
        requests = len(work) * ROUNDS
        print(json.dumps({"cpu_us": (cpu_seconds() - cpu) * 1e6 / requests,
                          "wall_us": (time.monotonic() - wall) * 1e6 / requests}))


main()
