"""The join: one invoice an order, whichever way the order came."""


def lambda_handler(event, context):
    return "{number} {way} {amount}".format(**event)
