"""Step 36 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 36) % 1000003
