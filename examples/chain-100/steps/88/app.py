"""Step 88 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 88) % 1000003
