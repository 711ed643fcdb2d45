"""Step 42 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 42) % 1000003
