"""The ordinary way, first of two: the box weighs something too."""


def lambda_handler(event, context):
    return {**event, "grams": event["grams"] + 150}
