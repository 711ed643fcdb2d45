"""The way of a small parcel in a hurry: a flat price for the courier."""


def lambda_handler(event, context):
    return {"number": event["number"], "way": "courier", "amount": event["price"] + 900}
