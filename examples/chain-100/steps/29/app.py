"""Step 29 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 29) % 1000003
