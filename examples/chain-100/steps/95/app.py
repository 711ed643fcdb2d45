"""Step 95 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 95) % 1000003
