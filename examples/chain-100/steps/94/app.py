"""Step 94 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 94) % 1000003
