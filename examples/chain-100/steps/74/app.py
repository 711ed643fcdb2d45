"""Step 74 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 74) % 1000003
