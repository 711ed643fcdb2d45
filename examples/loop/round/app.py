"""One round: halve an even number, else take three times the number and one more."""


def lambda_handler(event, context):
    value = event["value"]
    value = value // 2 if value % 2 == 0 else 3 * value + 1
    return {
        **event,
        "value": value,
        "rounds": event["rounds"] + 1,
        "peak": max(event["peak"], value),
    }
