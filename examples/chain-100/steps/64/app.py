"""Step 64 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 64) % 1000003
