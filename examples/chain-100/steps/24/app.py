"""Step 24 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 24) % 1000003
