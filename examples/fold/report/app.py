"""The last balance, or [] when the book had no page at all."""


def lambda_handler(event, context):
    if event == []:
        return {"pages": 0, "balance": 0, "history": []}
    return {"pages": len(event["history"]), **event}
