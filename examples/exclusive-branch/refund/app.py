"""The way of a return: the money goes back, nothing is sent."""


def lambda_handler(event, context):
    return {"number": event["number"], "way": "refund", "amount": -event["price"]}
