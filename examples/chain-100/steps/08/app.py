"""Step 8 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 8) % 1000003
