"""Step 34 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 34) % 1000003
