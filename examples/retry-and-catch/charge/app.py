"""Charges one card. The names of the errors are what Retry and Catch go by."""


class Busy(Exception):
    pass


class CardDeclined(Exception):
    pass


def lambda_handler(event, context):
    # So often the bank has no time. The attempt counts from 1.
    if context.unum_attempt <= event.get("busy", 0):
        raise Busy("the bank is busy")
    if event["price"] > event["limit"]:
        raise CardDeclined(f"the limit is {event['limit']}")
    return event
