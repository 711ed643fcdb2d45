"""Step 32 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 32) % 1000003
