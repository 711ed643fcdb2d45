"""Step 12 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 12) % 1000003
