"""Step 90 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 90) % 1000003
