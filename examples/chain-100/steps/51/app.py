"""Step 51 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 51) % 1000003
