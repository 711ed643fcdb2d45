"""Step 2 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 2) % 1000003
