"""Step 56 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 56) % 1000003
