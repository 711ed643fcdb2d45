"""Step 68 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 68) % 1000003
