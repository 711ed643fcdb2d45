"""Step 49 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 49) % 1000003
