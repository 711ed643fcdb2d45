"""Step 54 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 54) % 1000003
