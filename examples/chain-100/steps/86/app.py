"""Step 86 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 86) % 1000003
