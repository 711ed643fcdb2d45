"""Step 20 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 20) % 1000003
