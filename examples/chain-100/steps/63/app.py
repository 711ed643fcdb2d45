"""Step 63 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 63) % 1000003
