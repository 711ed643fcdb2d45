def lambda_handler(event, context):
    if "unpaid" in event:
        return f"{event['number']} open {event['unpaid']} ({event['because']})"
    return f"{event['number']} paid {event['price']}"
