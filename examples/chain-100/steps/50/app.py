"""Step 50 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 50) % 1000003
