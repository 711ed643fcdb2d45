"""Step 31 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 31) % 1000003
