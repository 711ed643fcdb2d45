"""Step 4 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 4) % 1000003
