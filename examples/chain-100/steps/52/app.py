"""Step 52 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 52) % 1000003
