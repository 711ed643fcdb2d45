"""The list of countries: the outer map runs over it."""


def lambda_handler(event, context):
    return event["countries"]
