"""Step 39 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 39) % 1000003
