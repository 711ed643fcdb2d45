"""Step 72 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 72) % 1000003
