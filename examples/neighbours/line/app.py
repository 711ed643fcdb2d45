"""The stations along a railway line, in their order."""


def lambda_handler(event, context):
    return event["stations"]
