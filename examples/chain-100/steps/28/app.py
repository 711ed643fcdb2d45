"""Step 28 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 28) % 1000003
