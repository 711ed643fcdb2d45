"""After the loop."""


def lambda_handler(event, context):
    return {"start": event["start"], "rounds": event["rounds"], "peak": event["peak"]}
