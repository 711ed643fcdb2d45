"""Step 10 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 10) % 1000003
