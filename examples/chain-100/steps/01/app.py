"""Step 1 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 1) % 1000003
