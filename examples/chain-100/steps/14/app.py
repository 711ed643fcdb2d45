"""Step 14 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 14) % 1000003
