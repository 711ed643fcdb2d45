"""Step 16 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 16) % 1000003
