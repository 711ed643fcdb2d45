"""Two neighbouring stations: how far the line climbs between them."""


def lambda_handler(event, context):
    here, there = event
    return {"from": here["name"], "to": there["name"], "climb": there["height"] - here["height"]}
