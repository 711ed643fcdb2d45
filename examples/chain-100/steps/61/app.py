"""Step 61 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 61) % 1000003
