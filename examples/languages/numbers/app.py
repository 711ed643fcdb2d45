"""The numbers that the three others look at."""


def lambda_handler(event, context):
    return event["numbers"]
