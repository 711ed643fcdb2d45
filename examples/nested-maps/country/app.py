"""The regions of one country: the middle map. A country may have none."""


def lambda_handler(event, context):
    return event["regions"]
