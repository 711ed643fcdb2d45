"""Step 23 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 23) % 1000003
