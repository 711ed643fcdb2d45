"""Gets the order as it was, with the error in the field that the catcher names."""


def lambda_handler(event, context):
    return {"number": event["number"], "unpaid": event["price"], "because": event["declined"]["Error"]}
