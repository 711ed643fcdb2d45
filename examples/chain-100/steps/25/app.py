"""Step 25 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 25) % 1000003
