"""Looks at one order. Which way it takes is decided by the edges, from what stands here."""


def lambda_handler(event, context):
    return {
        "number": event["number"],
        "kind": event.get("kind", "sale"),
        "express": event.get("express", False),
        "grams": event["grams"],
        "price": event["price"],
    }
