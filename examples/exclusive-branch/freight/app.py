"""The ordinary way, second of two: a price for each kilogram that was begun."""


def lambda_handler(event, context):
    kilograms = -(-event["grams"] // 1000)
    return {"number": event["number"], "way": "freight", "amount": event["price"] + 120 * kilograms}
