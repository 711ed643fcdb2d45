"""Step 98 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 98) % 1000003
