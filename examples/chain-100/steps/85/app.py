"""Step 85 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 85) % 1000003
