"""Step 6 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 6) % 1000003
