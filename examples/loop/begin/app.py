"""The state that goes round: the number to start from, above 1, and nothing counted yet."""


def lambda_handler(event, context):
    start = event["start"]
    return {"start": start, "value": start, "rounds": 0, "peak": start}
